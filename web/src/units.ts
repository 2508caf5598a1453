// SPDX-License-Identifier: GPL-2.0-or-later
// Ticks as people read them.
import { Meta } from './data';

export class Units {
	private readonly nsPerTick: number;

	constructor(private readonly meta: Meta) {
		this.nsPerTick = meta.mult ? meta.mult / 2 ** meta.shift : 0;
	}

	get hasTime(): boolean {
		return this.nsPerTick > 0;
	}

	ns(ticks: number): number {
		return ticks * this.nsPerTick;
	}

	/** What one step of the ruler counts in: ticks of a nanosecond, or one tick. */
	get unit(): number {
		return this.nsPerTick ? 1 / this.nsPerTick : 1;
	}

	span(ticks: number): string {
		if (!this.nsPerTick)
			return `${grouped(Math.round(ticks))} ticks`;
		return duration(ticks * this.nsPerTick);
	}

	/** Seconds since the first event, exact to the nanosecond. */
	at(ticks: number): string {
		if (!this.nsPerTick)
			return `${grouped(Math.round(ticks))} ticks`;
		const ns = BigInt(Math.round(ticks)) * BigInt(this.meta.mult) >> BigInt(this.meta.shift);
		const abs = ns < 0n ? -ns : ns;
		const digits = abs.toString().padStart(10, '0');
		return `${ns < 0n ? '\u2212' : ''}${digits.slice(0, -9)}.${digits.slice(-9, -6)}\u2009${digits.slice(-6, -3)}\u2009${digits.slice(-3)} s`;
	}

	/** Label of the ruler at a multiple of step ticks: seconds with the decimals that the step needs. */
	mark(ticks: number, step: number): string {
		if (!this.nsPerTick)
			return grouped(Math.round(ticks));
		const stepNs = Math.max(1, Math.round(step * this.nsPerTick));
		const ns = Math.round(ticks * this.nsPerTick);
		const decimals = Math.max(0, 9 - Math.floor(Math.log10(stepNs) + 1e-9));
		const whole = Math.floor(ns / 1e9), rest = String(ns - whole * 1e9).padStart(9, '0').slice(0, decimals);
		return `${grouped(whole)}${decimals ? `.${rest.replace(/(\d{3})(?=\d)/g, '$1\u2009')}` : ''} s`;
	}
}

export function grouped(n: number | bigint | string): string {
	return n.toString().replace(/\B(?=(\d{3})+(?!\d))/g, '\u2009');
}

export function duration(ns: number): string {
	const abs = Math.abs(ns);
	const pick: [number, string] = abs >= 1e9 ? [1e9, 's'] : abs >= 1e6 ? [1e6, 'ms'] : abs >= 1e3 ? [1e3, '\u00b5s'] : [1, 'ns'];
	const v = ns / pick[0];
	const shown = pick[0] === 1 ? Math.round(v).toString() : Math.abs(v) >= 100 ? v.toFixed(1) : Math.abs(v) >= 10 ? v.toFixed(2) : v.toFixed(3);
	return `${shown} ${pick[1]}`;
}

/** First index in [lo, hi) whose value is above v, in a sorted array. */
export function above(a: Float64Array, v: number, lo: number, hi: number): number {
	while (lo < hi) {
		const mid = (lo + hi) >>> 1;
		if (a[mid]! <= v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/** The same, quick when the answer is near lo. */
export function aboveNear(a: Float64Array, v: number, lo: number, hi: number): number {
	let step = 1;
	while (lo + step < hi && a[lo + step]! <= v) {
		lo += step;
		step *= 2;
	}
	return above(a, v, lo, Math.min(hi, lo + step + 1));
}
