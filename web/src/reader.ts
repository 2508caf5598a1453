// SPDX-License-Identifier: GPL-2.0-or-later
// The bytes of a block: LEB128 numbers, zigzag where they may be negative, and strings.

const utf8 = new TextDecoder('utf-8');

export class Reader {
	at = 0;
	/** Halves of the last u64() and s64(). */
	lo = 0;
	hi = 0;

	constructor(readonly bytes: Uint8Array) {}

	/** A number below 2^53. */
	u(): number {
		const b = this.bytes;
		let v = b[this.at++] ?? 0;
		if (v < 0x80)
			return v;
		v &= 0x7f;
		let scale = 128;
		for (;;) {
			const c = b[this.at++] ?? 0;
			v += (c & 0x7f) * scale;
			if (c < 0x80)
				return v;
			scale *= 128;
		}
	}

	s(): number {
		const v = this.u();
		return v % 2 ? -(v + 1) / 2 : v / 2;
	}

	u64(): void {
		const b = this.bytes;
		let lo = 0, hi = 0, c = 0;
		for (let shift = 0; shift < 70; shift += 7) {
			c = b[this.at++] ?? 0;
			const v = c & 0x7f;
			if (shift < 28)
				lo |= v << shift;
			else if (shift === 28) {
				lo |= v << 28;
				hi = v >>> 4;
			} else
				hi |= v << (shift - 32);
			if (c < 0x80)
				break;
		}
		this.lo = lo >>> 0;
		this.hi = hi >>> 0;
	}

	s64(): void {
		this.u64();
		const sign = -(this.lo & 1);
		const lo = ((this.lo >>> 1) | (this.hi << 31)) ^ sign;
		this.hi = ((this.hi >>> 1) ^ sign) >>> 0;
		this.lo = lo >>> 0;
	}

	/** Strings numbered from 1 on; [0] stands for none. */
	strings(): string[] {
		const n = this.u();
		const all = [''];
		for (let i = 0; i < n && this.at < this.bytes.length; i++) {
			const bytes = this.u();
			all.push(utf8.decode(this.bytes.subarray(this.at, this.at + bytes)));
			this.at += bytes;
		}
		return all;
	}

	skip(n: number): void {
		for (; n > 0; n--)
			while ((this.bytes[this.at++] ?? 0) >= 0x80)
				;
	}
}

const digit = new Uint8Array(128);
for (let i = 0; i < 64; i++)
	digit['ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.charCodeAt(i)] = i;

function base64(text: string): Uint8Array {
	let n = text.length;
	while (n && text.charCodeAt(n - 1) === 61)
		n--;
	const out = new Uint8Array((n * 3) >> 2);
	const at = (i: number) => digit[text.charCodeAt(i) & 127]!;
	let o = 0, i = 0;
	for (; i + 4 <= n; i += 4) {
		const v = at(i) << 18 | at(i + 1) << 12 | at(i + 2) << 6 | at(i + 3);
		out[o++] = v >> 16;
		out[o++] = v >> 8;
		out[o++] = v;
	}
	if (n - i >= 2)
		out[o++] = (at(i) << 2 | at(i + 1) >> 4) & 255;
	if (n - i === 3)
		out[o++] = (at(i + 1) << 4 | at(i + 2) >> 2) & 255;
	return out;
}

export async function unpack(element: Element): Promise<Reader> {
	const packed = base64(element.textContent ?? '');
	const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
	return new Reader(new Uint8Array(await new Response(stream).arrayBuffer()));
}
