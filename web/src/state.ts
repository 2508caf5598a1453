// SPDX-License-Identifier: GPL-2.0-or-later
// What is shown: the part of the recording, what is chosen, and who wants to know when that changes.
import { Recording } from './data';
import { Theme, light } from './colours';
import { Track, Tracks } from './tracks';
import { Units } from './units';

export type Pick = { type: 'event'; i: number } | { type: 'slice'; track: Track; i: number } | { type: 'exit'; i: number };
export type Change = 'view' | 'window' | 'pick' | 'theme' | 'rows' | 'search';

export class State {
	readonly units: Units;
	readonly tracks: Tracks;
	t0: number;
	t1: number;
	window: [number, number] | undefined;
	pick: Pick | undefined;
	theme: Theme = light;
	/** Found events, by number and by the track they are drawn on. */
	matches = new Uint32Array(0);
	matchTimes = new Map<Track, Float64Array>();
	private readonly listeners: ((what: Change) => void)[] = [];
	private aim: [number, number] | undefined;

	constructor(readonly rec: Recording) {
		this.units = new Units(rec.meta);
		this.tracks = new Tracks(rec);
		this.t0 = 0;
		this.t1 = rec.span;
		[this.t0, this.t1] = this.whole();
	}

	whole(): [number, number] {
		const room = this.rec.span * 0.004;
		return [-room, this.rec.span + room];
	}

	on(fn: (what: Change) => void): void {
		this.listeners.push(fn);
	}

	changed(what: Change): void {
		for (const fn of this.listeners)
			fn(what);
	}

	/** The nearest part that makes sense. */
	private sane(t0: number, t1: number): [number, number] {
		const span = this.rec.span;
		const width = Math.min(Math.max(t1 - t0, 16), span * 1.05);
		const middle = Math.min(Math.max((t0 + t1) / 2, 0), span);
		return [middle - width / 2, middle + width / 2];
	}

	show(t0: number, t1: number): void {
		this.aim = undefined;
		[this.t0, this.t1] = this.sane(t0, t1);
		this.changed('view');
	}

	/** The same in a few steps that the eye can follow. */
	glide(t0: number, t1: number): void {
		const running = this.aim !== undefined;
		this.aim = this.sane(t0, t1);
		if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
			this.show(...this.aim);
			return;
		}
		if (!running)
			requestAnimationFrame(() => this.step());
	}

	private step(): void {
		if (!this.aim)
			return;
		const [a, b] = this.aim, part = 0.4, near = (this.t1 - this.t0) * 0.002;
		if (Math.abs(a - this.t0) < near && Math.abs(b - this.t1) < near) {
			this.show(a, b);
			return;
		}
		this.t0 += (a - this.t0) * part;
		this.t1 += (b - this.t1) * part;
		this.changed('view');
		requestAnimationFrame(() => this.step());
	}

	get target(): [number, number] {
		return this.aim ?? [this.t0, this.t1];
	}

	zoom(factor: number, at?: number): void {
		const [a, b] = this.target;
		const t = at ?? (a + b) / 2;
		this.glide(t - (t - a) * factor, t + (b - t) * factor);
	}

	pan(part: number): void {
		const [a, b] = this.target;
		this.glide(a + (b - a) * part, b + (b - a) * part);
	}

	setWindow(w: [number, number] | undefined): void {
		this.window = w && (w[0] <= w[1] ? w : [w[1], w[0]]);
		this.changed('window');
	}

	choose(p: Pick | undefined, bring = false): void {
		this.pick = p;
		if (p && bring)
			this.bring(p);
		this.changed('pick');
	}

	span(p: Pick): [number, number] {
		if (p.type === 'event')
			return [this.rec.time[p.i]!, this.rec.time[p.i]!];
		if (p.type === 'exit')
			return [this.rec.exits.from[p.i]!, this.rec.exits.to[p.i]!];
		return [p.track.slices!.from[p.i]!, p.track.slices!.to[p.i]!];
	}

	track(p: Pick): Track | undefined {
		if (p.type === 'slice')
			return p.track;
		if (p.type === 'event')
			return this.tracks.byLane[this.rec.lane[p.i]!];
		return this.tracks.find(`v${this.rec.exits.vcpu[p.i]!}`);
	}

	/** Moves the view so that it can be seen, at a width at which it can be made out. */
	bring(p: Pick): void {
		const [from, to] = this.span(p);
		const [a, b] = this.target;
		const length = to - from;
		if (from >= a && to <= b && (p.type === 'event' || length > (b - a) * 0.02))
			return;
		const width = p.type === 'event' ? b - a : Math.min(Math.max(length * 4, 64), this.rec.span);
		const middle = (from + to) / 2;
		this.glide(middle - width / 2, middle + width / 2);
	}

	machineName(m: number): string {
		return this.rec.meta.machines[m]?.name ?? '';
	}

	/** A task as the tables of the kernel have it. */
	task(m: number, pid: number): string {
		return pid < 0 ? '' : pid === 0 ? 'idle' : `${this.rec.task(m, pid)}-${pid}`;
	}
}
