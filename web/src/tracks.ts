// SPDX-License-Identifier: GPL-2.0-or-later
// What the rows of the timeline are: CPUs of the host, vCPUs, CPUs of guests, threads of QEMU.
import { above, aboveNear } from './units';
import { Recording, Slices, STATES } from './data';

export type TrackType = 'cpu' | 'vcpu' | 'thread';

export interface Track {
	key: string;
	type: TrackType;
	group: number;
	machine: number;
	label: string;
	/** Small text below or behind the label. */
	note: string;
	slices: Slices | undefined;
	lod: Lod | undefined;
	/** Numbers of its events, and their times. */
	events: Uint32Array;
	times: Float64Array;
	lost: { from: number; to: number; n: number }[];
	vcpu: number;
}

export interface Group { name: string; note: string; open: boolean }

const BLOCK = 64;

/** Sums over runs of slices: what is drawn when many share a pixel. */
export class Lod {
	private readonly sums: Float64Array;
	private readonly longest: Uint32Array;

	/** classes: how many; of: the class of a slice's "what". */
	constructor(readonly s: Slices, readonly classes: number, private readonly of: (what: number) => number) {
		const blocks = Math.floor(s.n / BLOCK);
		this.sums = new Float64Array((blocks + 1) * classes);
		this.longest = new Uint32Array(blocks);
		const sum = new Float64Array(classes);
		for (let b = 0; b < blocks; b++) {
			let best = b * BLOCK;
			for (let i = b * BLOCK; i < (b + 1) * BLOCK; i++) {
				sum[of(s.what[i]!)] += s.to[i]! - s.from[i]!;
				if (this.better(i, best))
					best = i;
			}
			this.longest[b] = best;
			this.sums.set(sum, (b + 1) * classes);
		}
	}

	/** Class 0 of tasks is idle: never the longest when anything else is there. */
	private better(i: number, than: number): boolean {
		const { s, of } = this;
		const rank = (j: number) => (this.classes === 2 && !of(s.what[j]!) ? 0 : s.to[j]! - s.from[j]!);
		return rank(i) > rank(than);
	}

	/** Time of each class in slices [i, j), cut to [from, to]; returns the longest. */
	add(i: number, j: number, from: number, to: number, into: Float64Array): number {
		const { s } = this;
		let best = i;
		const one = (k: number) => {
			const a = Math.max(s.from[k]!, from), b = Math.min(s.to[k]!, to);
			if (b > a)
				into[this.of(s.what[k]!)] += b - a;
			if (this.better(k, best))
				best = k;
		};
		let k = i;
		if (j - i > 2 * BLOCK) {
			for (; k % BLOCK || k === i; k++)
				one(k);
			const first = k / BLOCK, last = Math.floor((j - 1) / BLOCK);
			for (let c = 0; c < this.classes; c++)
				into[c] += this.sums[last * this.classes + c]! - this.sums[first * this.classes + c]!;
			for (let b = first; b < last; b++)
				if (this.better(this.longest[b]!, best))
					best = this.longest[b]!;
			k = Math.max(k, last * BLOCK);
		}
		for (; k < j; k++)
			one(k);
		return best;
	}
}

/** The slice at or next to a time; -1: none. */
export function sliceAt(s: Slices, t: number): number {
	const i = above(s.from, t, 0, s.n) - 1;
	return i >= 0 && s.to[i]! >= t ? i : -1;
}

/** How many of the sorted times lie in [from, to). */
export function countIn(times: Float64Array, from: number, to: number): number {
	const a = above(times, from - 0.5, 0, times.length);
	return aboveNear(times, to - 0.5, a, times.length) - a;
}

function newTrack(type: TrackType, key: string, group: number, machine: number, label: string, note: string): Track {
	return {
		key, type, group, machine, label, note, slices: undefined, lod: undefined,
		events: new Uint32Array(0), times: new Float64Array(0), lost: [], vcpu: -1,
	};
}

/** One sorted list out of several. */
function merged(parts: Slices[]): Slices {
	if (parts.length === 1)
		return parts[0]!;
	const n = parts.reduce((sum, p) => sum + p.n, 0);
	const order = new Uint32Array(n), from = new Float64Array(n), part = new Uint16Array(n), place = new Uint32Array(n);
	let at = 0;
	parts.forEach((p, k) => {
		for (let i = 0; i < p.n; i++, at++) {
			order[at] = at;
			from[at] = p.from[i]!;
			part[at] = k;
			place[at] = i;
		}
	});
	order.sort((a, b) => from[a]! - from[b]!);
	const s: Slices = { n, from: new Float64Array(n), to: new Float64Array(n), what: new Int32Array(n), more: new Uint32Array(n) };
	order.forEach((o, i) => {
		const p = parts[part[o]!]!, j = place[o]!;
		s.from[i] = p.from[j]!;
		s.to[i] = p.to[j]!;
		s.what[i] = p.what[j]!;
		s.more[i] = p.more[j]!;
	});
	return s;
}

export class Tracks {
	readonly groups: Group[] = [];
	readonly all: Track[] = [];
	readonly byLane: (Track | undefined)[] = [];

	constructor(private readonly rec: Recording) {
		const { meta } = rec;
		const roots = meta.machines.map((_, i) => i).filter(i => !meta.machines[i]!.part_of);
		for (const m of roots)
			this.addMachine(m);
		this.giveEvents();
		for (const t of this.all)
			t.lod = t.slices && (t.type === 'vcpu' ? new Lod(t.slices, STATES, what => what)
				: t.type === 'cpu' ? new Lod(t.slices, 2, pid => (pid ? 1 : 0)) : new Lod(t.slices, 1, () => 0));
	}

	/** Lanes of the machine and of later parts of its recording, by CPU. */
	private lanesOf(m: number): Map<number, number[]> {
		const by = new Map<number, number[]>();
		this.rec.meta.lanes.forEach((l, i) => {
			if (l.machine !== m && (m === 0 || this.rec.meta.machines[l.machine]!.part_of !== m))
				return;
			const list = by.get(l.cpu);
			if (list)
				list.push(i);
			else
				by.set(l.cpu, [i]);
		});
		return new Map([...by].sort((a, b) => a[0] - b[0]));
	}

	private addMachine(m: number): void {
		const machine = this.rec.meta.machines[m]!;
		const lanes = this.lanesOf(m);
		const vcpus = this.rec.meta.vcpus.map((v, i) => ({ ...v, index: i })).filter(v => v.machine === m);
		if (!lanes.size && !vcpus.length)
			return;
		const group = this.groups.length;
		const n = Number(machine.events);
		this.groups.push({
			name: machine.name, open: true,
			note: [machine.guest ? 'VM' : m === 0 ? 'host' : '', machine.text ? 'text log' : machine.uname,
				machine.aligned || m === 0 ? '' : 'clock not aligned', n ? '' : 'no events'].filter(Boolean).join(' \u00b7 '),
		});
		const left = new Map(lanes);
		for (const v of vcpus) {
			const t = newTrack('vcpu', `v${v.index}`, group, m, `vCPU ${v.id}`, v.tid ? `thread ${v.tid}` : '');
			t.vcpu = v.index;
			t.slices = this.rec.states[v.index];
			if (t.slices?.n)
				this.all.push(t);
			const cpu = machine.vcpus.find(w => w.id === v.id)?.cpu ?? -1;
			const own = left.get(cpu);
			if (own && cpu >= 0) {
				this.addCpu(m, group, cpu, own, `vCPU ${v.id}`);
				left.delete(cpu);
			}
		}
		for (const [cpu, list] of left)
			this.addCpu(m, group, cpu, list, '');
		if (machine.guest)
			this.addThreads(m, group);
	}

	private addCpu(m: number, group: number, cpu: number, lanes: number[], note: string): void {
		const machine = this.rec.meta.machines[m]!;
		const label = cpu < 0 ? 'events' : machine.guest ? `guest CPU ${cpu}` : `CPU ${cpu}`;
		const t = newTrack('cpu', `c${m}.${cpu}`, group, m, label, note);
		const runs = lanes.map(l => this.rec.runs[l]).filter((r): r is Slices => !!r && r.n > 0);
		if (runs.length)
			t.slices = merged(runs);
		for (const l of lanes)
			this.byLane[l] = t;
		for (const l of this.rec.lost)
			if (lanes.includes(l.lane))
				t.lost.push(l);
		this.all.push(t);
	}

	/** Where and when the threads of the VM's process ran, from what the host's CPUs ran. */
	private addThreads(m: number, group: number): void {
		const { meta, runs } = this.rec;
		const machine = meta.machines[m]!;
		const vcpuTids = new Set(machine.vcpus.map(v => v.tid));
		const tids = new Set([...machine.tids, ...(machine.pid ? [machine.pid] : [])].filter(t => t && !vcpuTids.has(t)));
		const found = new Map<number, number[]>();
		meta.lanes.forEach((l, lane) => {
			const r = l.machine === 0 ? runs[lane] : undefined;
			for (let i = 0; r && i < r.n; i++) {
				const tid = r.what[i]!;
				if (!tids.has(tid))
					continue;
				const list = found.get(tid) ?? [];
				list.push(lane, i);
				found.set(tid, list);
			}
		});
		for (const tid of [...found.keys()].sort((a, b) => a - b)) {
			const list = found.get(tid)!, n = list.length / 2;
			const at = Array.from({ length: n }, (_, k) => ({ r: runs[list[2 * k]!]!, lane: list[2 * k]!, i: list[2 * k + 1]! }));
			at.sort((a, b) => a.r.from[a.i]! - b.r.from[b.i]!);
			const t = newTrack('thread', `t${m}.${tid}`, group, m, this.rec.task(0, tid), String(tid));
			t.slices = {
				n, from: Float64Array.from(at, a => a.r.from[a.i]!), to: Float64Array.from(at, a => a.r.to[a.i]!),
				what: Int32Array.from(at, a => meta.lanes[a.lane]!.cpu), more: Uint32Array.from(at, a => a.lane),
			};
			this.all.push(t);
		}
	}

	private giveEvents(): void {
		const { rec } = this;
		const counts = new Map<Track, number>();
		const perLane = new Uint32Array(rec.meta.lanes.length);
		for (let i = 0; i < rec.n; i++)
			perLane[rec.lane[i]!]++;
		perLane.forEach((n, lane) => {
			const t = this.byLane[lane];
			if (t)
				counts.set(t, (counts.get(t) ?? 0) + n);
		});
		const places = new Map<Track, { n: number }>();
		for (const [t, n] of counts) {
			t.events = new Uint32Array(n);
			t.times = new Float64Array(n);
			places.set(t, { n: 0 });
		}
		const cursor = rec.meta.lanes.map((_, lane) => {
			const t = this.byLane[lane];
			return t && { t, at: places.get(t)! };
		});
		for (let i = 0; i < rec.n; i++) {
			const c = cursor[rec.lane[i]!];
			if (!c)
				continue;
			c.t.events[c.at.n] = i;
			c.t.times[c.at.n++] = rec.time[i]!;
		}
	}

	find(key: string): Track | undefined {
		return this.all.find(t => t.key === key);
	}
}
