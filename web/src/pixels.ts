// SPDX-License-Identifier: GPL-2.0-or-later
// A picture in memory: rectangles go into it much faster than through the canvas.
import { Pattern, blend } from './colours';

export class Pixels {
	w = 0;
	h = 0;
	private image: ImageData | undefined;
	private px = new Uint32Array(0);

	resize(ctx: CanvasRenderingContext2D, w: number, h: number): void {
		if (this.w === w && this.h === h)
			return;
		this.w = w;
		this.h = h;
		this.image = ctx.createImageData(Math.max(1, w), Math.max(1, h));
		this.px = new Uint32Array(this.image.data.buffer);
	}

	show(ctx: CanvasRenderingContext2D): void {
		if (this.image)
			ctx.putImageData(this.image, 0, 0);
	}

	fill(colour: number): void {
		this.px.fill(colour);
	}

	/** Whole pixels; what lies outside is cut. */
	rect(x0: number, y0: number, x1: number, y1: number, colour: number): void {
		const a = Math.max(0, x0), b = Math.min(this.w, x1), d = Math.min(this.h, y1);
		if (b <= a)
			return;
		for (let y = Math.max(0, y0); y < d; y++)
			this.px.fill(colour, y * this.w + a, y * this.w + b);
	}

	/** A rectangle with a pattern; scale: device pixels of one of the page's. */
	pattern(x0: number, y0: number, x1: number, y1: number, colour: number, pattern: Pattern, shade: number, scale: number): void {
		if (pattern === 'thin') {
			const cut = Math.floor((y1 - y0) * 0.36);
			this.rect(x0, y0 + cut, x1, y1 - cut, colour);
			return;
		}
		this.rect(x0, y0, x1, y1, colour);
		if (pattern === 'plain' || x1 - x0 < 3 * scale)
			return;
		const mark = blend(colour, shade, 0.3);
		const step = Math.round(6 * scale), wide = Math.max(1, Math.round(1.4 * scale));
		const a = Math.max(0, x0), b = Math.min(this.w, x1);
		for (let y = Math.max(0, y0); y < Math.min(this.h, y1); y++) {
			const row = y * this.w, v = y - y0;
			if (pattern === 'rows') {
				if (v % Math.round(4 * scale) < wide)
					this.px.fill(mark, row + a, row + b);
				continue;
			}
			const dotted = pattern === 'dots' && v % Math.round(4 * scale) >= wide;
			if (dotted)
				continue;
			const shift = pattern === 'up' ? v : pattern === 'down' ? -v : 0;
			for (let x = a - (((a + shift) % step) + step) % step; x < b; x += step)
				this.px.fill(mark, row + Math.max(a, x), row + Math.max(a, Math.min(b, x + wide)));
			if (pattern === 'cross')
				for (let x = a - (((a - v) % step) + step) % step; x < b; x += step)
					this.px.fill(mark, row + Math.max(a, x), row + Math.max(a, Math.min(b, x + wide)));
		}
	}
}
