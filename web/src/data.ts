// SPDX-License-Identifier: GPL-2.0-or-later
// The recording as typed arrays. Times are host ticks since the first event.
import { Reader, unpack } from './reader';

export interface Machine {
	guest: number; text: number; aligned: number; part_of: number; same: number; pid: number;
	raw_ns: number; name: string; uname: string; why_unaligned: string;
	vcpus: { id: number; tid: number; cpu: number }[];
	tids: number[];
	events: string; lost: string; gaps: number; gaps_uncounted: number;
	tasks: [number, string][];
}
export interface Lane { machine: number; cpu: number; vcpu: number; buffer: string }
export interface Kind { machine: number; n: number; system: string; name: string; fields: [string, string][] }
export interface Meta {
	mult: number; shift: number; realtime_ns?: string; base: string; span: string; events: string;
	title: string; tool: string; machines: Machine[]; lanes: Lane[]; kinds: Kind[];
	has_exits: number; has_sched: number; has_user: number;
	states: string[]; vcpus: { machine: number; id: number; tid: number }[];
}

/** enum vcpu_state of the recorder. */
export const UNKNOWN = 0, GUEST = 1, KVM = 2, VMM = 3, PREEMPTED = 4, WAITING = 5, HALTED = 6, BLOCKED = 7;
export const STATES = 8;

interface EventBlock { first: number; n: number; fields: Element }
export interface Lost { lane: number; from: number; to: number; n: number }

export interface Slices {
	n: number;
	from: Float64Array;
	to: Float64Array;
	/** A pid, a state or a CPU. */
	what: Int32Array;
	/** Place in VcpuSlices, or the lane of a thread's slice. */
	more: Uint32Array;
}

export interface VcpuSlices {
	within: Uint8Array;
	reason: Uint32Array; user: Uint32Array; handler: Uint32Array;
	byPid: Int32Array; byComm: Uint32Array;
}
export interface Exits {
	n: number;
	vcpu: Uint16Array;
	from: Float64Array; to: Float64Array;
	flags: Uint8Array;
	reason: Uint32Array; comm: Uint32Array; user: Uint32Array; handler: Uint32Array;
	pid: Int32Array; cpu: Uint16Array;
	addressLo: Uint32Array; addressHi: Uint32Array; ripLo: Uint32Array; ripHi: Uint32Array;
	/** STATES of each. */
	parts: Float64Array;
}

export interface FieldValue { name: string; text: string }
export interface EventFacts { raw: string; width: string; error: string; doubtful: boolean; fields: FieldValue[] }

export class Recording {
	readonly n: number;
	readonly time: Float64Array;
	readonly lane: Uint16Array;
	readonly kind: Uint16Array;
	readonly pid: Int32Array;
	readonly span: number;
	readonly base: bigint;
	/** Strings of states and exits. */
	readonly strings: string[] = [''];
	readonly lost: Lost[] = [];
	/** By lane. */
	runs: Slices[] = [];
	/** By vCPU. */
	states: Slices[] = [];
	vcpuSlices!: VcpuSlices;
	exits!: Exits;
	private readonly names: Map<number, string>[];
	private readonly numbers = new Map<string, number>([['', 0]]);
	private readonly blocks: EventBlock[] = [];
	/** Events whose own tick lies before that of the one before: shown with it, told as they are. */
	private readonly exact = new Map<number, number>();
	private cached: { block: EventBlock; facts: Facts } | undefined;

	constructor(readonly meta: Meta) {
		this.n = Number(meta.events);
		this.span = Math.max(1, Number(meta.span));
		this.base = BigInt(meta.base);
		this.time = new Float64Array(this.n);
		this.lane = new Uint16Array(this.n);
		this.kind = new Uint16Array(this.n);
		this.pid = new Int32Array(this.n);
		this.names = meta.machines.map(m => new Map(m.tasks));
	}

	task(machine: number, pid: number): string {
		if (pid < 0)
			return '';
		return this.names[machine]?.get(pid) ?? (pid === 0 ? '<idle>' : '<...>');
	}

	ticks(i: number): number {
		return this.exact.get(i) ?? this.time[i]!;
	}

	private number(s: string): number {
		let n = this.numbers.get(s);
		if (n === undefined) {
			n = this.strings.push(s) - 1;
			this.numbers.set(s, n);
		}
		return n;
	}

	takeEvents(r: Reader, first: number, fields: Element): number {
		const n = Math.min(r.u(), this.n - first);
		let at = 0, shown = first ? this.time[first - 1]! : 0, pid = 0;
		for (let i = first; i < first + n; i++) {
			at += r.s();
			if (at < shown)
				this.exact.set(i, at);
			else
				shown = at;
			this.time[i] = shown;
		}
		for (let i = first; i < first + n; i++)
			this.lane[i] = r.u();
		for (let i = first; i < first + n; i++)
			this.kind[i] = r.u();
		for (let i = first; i < first + n; i++)
			this.pid[i] = pid += r.s();
		this.blocks.push({ first, n, fields });
		return first + n;
	}

	takeRuns(readers: Reader[]): void {
		const counts = new Uint32Array(this.meta.lanes.length);
		const parts = readers.map(r => {
			const n = r.u();
			const lane = column(r, n, Uint16Array), from = column(r, n, Float64Array);
			for (let i = 0; i < n; i++)
				counts[lane[i]!]++;
			return { n, lane, from, span: column(r, n, Float64Array), pid: column(r, n, Int32Array) };
		});
		this.runs = Array.from(counts, newSlices);
		const told = new Float64Array(counts.length);
		for (const p of parts)
			for (let i = 0; i < p.n; i++) {
				const lane = p.lane[i]!, s = this.runs[lane]!, at = s.n++;
				s.from[at] = told[lane] += p.from[i]!;
				s.to[at] = told[lane] += p.span[i]!;
				s.what[at] = p.pid[i]!;
				s.more[at] = lane;
			}
	}

	takeLost(r: Reader): void {
		const n = r.u();
		const lane = column(r, n, Uint16Array), from = column(r, n, Float64Array);
		const span = column(r, n, Float64Array), count = column(r, n, Float64Array);
		for (let i = 0; i < n; i++)
			this.lost.push({
				lane: lane[i]!, from: from[i]!, n: count[i]! - 1,
				to: span[i] ? from[i]! + span[i]! - 1 : this.span,
			});
	}

	takeStates(readers: Reader[]): void {
		const vcpus = this.meta.vcpus.length;
		const counts = new Uint32Array(vcpus);
		let total = 0;
		const parts = readers.map(r => {
			const n = r.u(), map = this.map(r);
			const vcpu = column(r, n, Uint16Array);
			for (let i = 0; i < n; i++)
				counts[vcpu[i]!]++;
			total += n;
			return { r, n, map, vcpu, from: signedColumn(r, n), span: column(r, n, Float64Array) };
		});
		const all: VcpuSlices = this.vcpuSlices = {
			within: new Uint8Array(total), reason: new Uint32Array(total), user: new Uint32Array(total),
			handler: new Uint32Array(total), byPid: new Int32Array(total), byComm: new Uint32Array(total),
		};
		this.states = Array.from(counts, newSlices);
		const end = new Float64Array(vcpus);
		let base = 0;
		for (const { r, n, map, vcpu, from, span } of parts) {
			const state = column(r, n, Uint8Array);
			all.within.set(column(r, n, Uint8Array), base);
			for (const to of [all.reason, all.user, all.handler])
				mapped(r, n, map, to, base);
			all.byPid.set(column(r, n, Int32Array).map(v => v - 1), base);
			mapped(r, n, map, all.byComm, base);
			for (let i = 0; i < n; i++) {
				const v = vcpu[i]!, s = this.states[v]!, at = s.n++;
				s.from[at] = end[v] += from[i]!;
				s.to[at] = end[v] += span[i]!;
				s.what[at] = state[i]!;
				s.more[at] = base + i;
			}
			base += n;
		}
	}

	takeExits(readers: Reader[]): void {
		const heads = readers.map(r => ({ r, n: r.u() }));
		const total = heads.reduce((sum, h) => sum + h.n, 0);
		const u32 = () => new Uint32Array(total);
		const e: Exits = this.exits = {
			n: total, vcpu: new Uint16Array(total), from: new Float64Array(total), to: new Float64Array(total),
			flags: new Uint8Array(total), reason: u32(), comm: u32(), user: u32(), handler: u32(),
			pid: new Int32Array(total), cpu: new Uint16Array(total),
			addressLo: u32(), addressHi: u32(), ripLo: u32(), ripHi: u32(),
			parts: new Float64Array(total * STATES),
		};
		const last = new Float64Array(this.meta.vcpus.length);
		let base = 0;
		for (const { r, n } of heads) {
			const map = this.map(r);
			e.vcpu.set(column(r, n, Uint16Array), base);
			const from = signedColumn(r, n), span = column(r, n, Float64Array);
			for (let i = 0; i < n; i++) {
				const v = e.vcpu[base + i]!;
				e.from[base + i] = last[v] += from[i]!;
				e.to[base + i] = last[v]! + span[i]!;
			}
			e.flags.set(column(r, n, Uint8Array), base);
			mapped(r, n, map, e.reason, base);
			wide(r, n, e.addressLo, e.addressHi, base);
			e.pid.set(column(r, n, Int32Array).map(v => v - 1), base);
			for (const to of [e.comm, e.user, e.handler])
				mapped(r, n, map, to, base);
			wide(r, n, e.ripLo, e.ripHi, base);
			e.cpu.set(column(r, n, Uint16Array), base);
			for (let s = 0; s < STATES; s++)
				for (let i = 0; i < n; i++)
					e.parts[(base + i) * STATES + s] = r.u();
			base += n;
		}
	}

	/** From the block's numbers of strings to ours. */
	private map(r: Reader): Uint32Array {
		return Uint32Array.from(r.strings(), s => this.number(s));
	}

	/** All that is known of an event. */
	async facts(i: number): Promise<EventFacts> {
		const block = this.blocks.find(b => i >= b.first && i < b.first + b.n);
		if (!block)
			throw new Error(`no event ${i}`);
		const facts = await this.open(block);
		return facts.of(i);
	}

	/** Calls found with each event of the kinds whose field has such a text, block by block. */
	async scan(kinds: Uint8Array, test: (name: string, text: string) => boolean,
		found: (i: number) => void, stop: () => boolean): Promise<void> {
		for (const b of this.blocks) {
			if (stop())
				return;
			(await this.open(b)).scan(kinds, test, found);
		}
	}

	private async open(block: EventBlock): Promise<Facts> {
		if (this.cached?.block !== block)
			this.cached = { block, facts: new Facts(this, block, await unpack(block.fields)) };
		return this.cached.facts;
	}
}

type Numbers = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

function column<T extends Numbers>(r: Reader, n: number, type: new (n: number) => T): T {
	const c = new type(n);
	for (let i = 0; i < n; i++)
		c[i] = r.u();
	return c;
}

function signedColumn(r: Reader, n: number): Float64Array {
	const c = new Float64Array(n);
	for (let i = 0; i < n; i++)
		c[i] = r.s();
	return c;
}

function mapped(r: Reader, n: number, map: Uint32Array, to: Uint32Array, base: number): void {
	for (let i = 0; i < n; i++)
		to[base + i] = map[r.u()] ?? 0;
}

function wide(r: Reader, n: number, lo: Uint32Array, hi: Uint32Array, base: number): void {
	for (let i = 0; i < n; i++) {
		r.u64();
		lo[base + i] = r.lo;
		hi[base + i] = r.hi;
	}
}

function newSlices(n: number): Slices {
	return {
		n: 0, from: new Float64Array(n), to: new Float64Array(n),
		what: new Int32Array(n), more: new Uint32Array(n),
	};
}

export const big = (lo: number, hi: number) => BigInt(hi) << 32n | BigInt(lo);
export const hex = (lo: number, hi: number) => `0x${big(lo, hi).toString(16)}`;

interface Section { n: number; at: number; columns: Column[] | undefined }
interface Column { lo: Uint32Array; hi: Uint32Array | undefined }

/** The fields of a block's events. */
class Facts {
	private readonly strings: string[];
	private readonly at: { raws: number; widths: number; errors: number; flags: number };
	private readonly sections = new Map<number, Section>();

	constructor(private readonly rec: Recording, private readonly block: EventBlock, private readonly r: Reader) {
		const n = r.u();
		this.strings = r.strings();
		const mark = () => { const at = r.at; r.skip(n); return at; };
		this.at = { raws: mark(), widths: mark(), errors: mark(), flags: mark() };
		for (let left = r.u(); left > 0; left--) {
			const kind = r.u(), count = r.u(), bytes = r.u();
			this.sections.set(kind, { n: count, at: r.at, columns: undefined });
			r.at += bytes;
		}
	}

	private columns(kind: number): Column[] {
		const s = this.sections.get(kind)!, r = this.r;
		if (s.columns)
			return s.columns;
		r.at = s.at;
		return s.columns = this.rec.meta.kinds[kind]!.fields.map(([type]) => {
			const lo = new Uint32Array(s.n);
			if (isText(type)) {
				for (let i = 0; i < s.n; i++)
					lo[i] = r.u();
				return { lo, hi: undefined };
			}
			const hi = new Uint32Array(s.n);
			let low = 0, high = 0;
			for (let i = 0; i < s.n; i++) {
				r.s64();
				const sum = low + r.lo;
				high = (high + r.hi + (sum > 0xffffffff ? 1 : 0)) >>> 0;
				low = sum >>> 0;
				lo[i] = low;
				hi[i] = high;
			}
			return { lo, hi };
		});
	}

	private text(type: string, c: Column, i: number): string {
		if (isText(type))
			return c.lo[i] ? this.strings[c.lo[i]!] ?? '' : '(none)';
		const v = big(c.lo[i]!, c.hi![i]!);
		if (type[0] === 'p')
			return `0x${v.toString(16)}`;
		return (type[0] === 'i' ? BigInt.asIntN(64, v) : v).toString();
	}

	of(i: number): EventFacts {
		const { rec, block, r } = this;
		const kind = rec.kind[i]!, lane = rec.lane[i]!;
		let place = 0, ago = 0n;
		r.at = this.at.raws;
		for (let j = block.first; j <= i; j++) {
			r.s64();
			if (rec.lane[j] === lane)
				ago += big(r.lo, r.hi);
			if (j < i && rec.kind[j] === kind)
				place++;
		}
		const nth = (at: number) => { r.at = at; r.skip(i - block.first); r.u64(); return big(r.lo, r.hi).toString(); };
		const fields = rec.meta.kinds[kind]!.fields;
		const columns = this.columns(kind);
		return {
			raw: BigInt.asUintN(64, rec.base + BigInt(rec.ticks(i)) + ago).toString(),
			width: nth(this.at.widths), error: nth(this.at.errors), doubtful: nth(this.at.flags) !== '0',
			fields: fields.map(([type, name], f) => ({ name, text: this.text(type, columns[f]!, place) })),
		};
	}

	scan(kinds: Uint8Array, test: (name: string, text: string) => boolean, found: (i: number) => void): void {
		const { rec, block } = this;
		const place = new Uint32Array(rec.meta.kinds.length);
		for (let i = block.first; i < block.first + block.n; i++) {
			const kind = rec.kind[i]!, at = place[kind]++;
			if (!kinds[kind])
				continue;
			const columns = this.columns(kind);
			const fields = rec.meta.kinds[kind]!.fields;
			for (let f = 0; f < fields.length; f++)
				if (test(fields[f]![1], this.text(fields[f]![0], columns[f]!, at))) {
					found(i);
					break;
				}
		}
	}
}

function isText(type: string): boolean {
	return type[0] === 's' || type[0] === 'b';
}

/** Reads the page's blocks; told is called with how much of them is read, 0 to 1. */
export async function load(told: (part: number) => void): Promise<Recording> {
	const blocks = (letter: string) => Array.from(document.querySelectorAll(`script.${letter}`));
	const [last] = blocks('M');
	if (!last)
		throw new Error('this file is not whole: its end is missing');
	const rec = new Recording(JSON.parse(new TextDecoder().decode((await unpack(last)).bytes)) as Meta);
	const events = blocks('E'), fields = blocks('F');
	let at = 0;
	for (let i = 0; i < events.length; i++) {
		at = rec.takeEvents(await unpack(events[i]!), at, fields[i]!);
		events[i]!.remove();
		told(0.8 * (i + 1) / events.length);
		if (i % 4 === 3)
			await new Promise(done => setTimeout(done));
	}
	if (at !== rec.n)
		throw new Error(`this file is damaged: it holds ${at} of its ${rec.n} events`);
	const all = async (letter: string) => {
		const found = blocks(letter), readers = [];
		for (const b of found) {
			readers.push(await unpack(b));
			b.remove();
		}
		return readers;
	};
	rec.takeRuns(await all('R'));
	for (const r of await all('L'))
		rec.takeLost(r);
	told(0.87);
	rec.takeStates(await all('V'));
	told(0.94);
	rec.takeExits(await all('X'));
	told(1);
	return rec;
}
