// SPDX-License-Identifier: GPL-2.0-or-later
// Everything that is known of the chosen event, slice or exit; and the few words for under the mouse.
import { KVM, PREEMPTED, STATES, VMM, WAITING, hex } from './data';
import { css } from './colours';
import { get, make, visible } from './dom';
import { Pick, State } from './state';
import { grouped } from './units';

export type Fact = [string, string];
const addresses = ['', 'port', 'MMIO address', 'MSR', 'guest physical address'];

export class Details {
	private readonly box = get('facts');
	private turn = 0;

	constructor(private readonly state: State) {}

	async show(): Promise<void> {
		const p = this.state.pick, turn = ++this.turn;
		if (!p) {
			this.box.replaceChildren(make('p', 'Click an event, a slice or a row of the table. Shift+drag on the timeline measures a window.', 'empty'));
			return;
		}
		const facts = await this.facts(p);
		if (turn !== this.turn)
			return;
		this.box.replaceChildren(this.heading(p), this.buttons(p), ...this.parts(p), this.list(facts));
	}

	private heading(p: Pick): HTMLElement {
		const h = make('h3', visible(this.name(p)));
		if (p.type === 'slice' && p.track.type === 'vcpu') {
			const chip = make('i', undefined, 'chip');
			chip.style.background = css(this.state.theme.states[p.track.slices!.what[p.i]!]!);
			h.prepend(chip);
		}
		return h;
	}

	private buttons(p: Pick): HTMLElement {
		const row = make('p', undefined, 'buttons');
		const add = (text: string, title: string, fn: () => void) => {
			const b = make('button', text);
			b.type = 'button';
			b.title = title;
			b.addEventListener('click', fn);
			row.append(b);
		};
		const { state } = this, [from, to] = state.span(p);
		if (to > from) {
			add('Zoom to it', 'F', () => state.glide(from - (to - from) * 0.2, to + (to - from) * 0.2));
			add('Measure it', 'the tables then show only what lies in it', () => state.setWindow([from, to]));
		} else {
			const width = Math.min(state.t1 - state.t0, state.rec.span / 200);
			add('Zoom to it', 'F', () => state.glide(from - width / 2, from + width / 2));
		}
		return row;
	}

	private list(facts: Fact[]): HTMLElement {
		const dl = make('dl');
		for (const [name, text] of facts)
			dl.append(make('dt', visible(name)), make('dd', visible(text)));
		return dl;
	}

	/** Where an exit's time went. */
	private parts(p: Pick): HTMLElement[] {
		if (p.type !== 'exit')
			return [];
		const { rec, units, theme } = this.state, e = rec.exits;
		const all = e.to[p.i]! - e.from[p.i]!;
		const bar = make('div', undefined, 'parts'), dl = make('dl');
		for (let s = 0; s < STATES; s++) {
			const t = e.parts[p.i * STATES + s]!;
			if (!t)
				continue;
			const piece = make('i'), chip = make('i', undefined, 'chip'), dt = make('dt', rec.meta.states[s]!);
			piece.style.flexGrow = String(t);
			piece.style.background = chip.style.background = css(theme.states[s]!);
			bar.append(piece);
			dt.prepend(chip);
			dl.append(dt, make('dd', `${units.span(t)}  ${(t / all * 100).toFixed(1)} %`));
		}
		return [bar, dl];
	}

	name(p: Pick): string {
		const { rec } = this.state;
		if (p.type === 'event') {
			const k = rec.meta.kinds[rec.kind[p.i]!]!;
			return k.system ? `${k.system}:${k.name}` : k.name;
		}
		if (p.type === 'exit')
			return `VM exit ${rec.strings[rec.exits.reason[p.i]!] || '(reason unknown)'}`;
		const { track } = p, what = track.slices!.what[p.i]!;
		if (track.type === 'vcpu')
			return rec.meta.states[what] ?? '';
		if (track.type === 'thread')
			return `${track.label} on CPU ${what}`;
		return what ? rec.task(track.machine, what) : 'idle';
	}

	async facts(p: Pick): Promise<Fact[]> {
		if (p.type === 'event')
			return this.event(p.i);
		return p.type === 'exit' ? this.exit(p.i) : this.slice(p);
	}

	private times(from: number, to: number): Fact[] {
		const { units, rec } = this.state;
		const tick = (t: number) => grouped(rec.base + BigInt(Math.round(t)));
		return [
			['lasted', units.span(to - from)], ['from', units.at(from)], ['to', units.at(to)],
			['host ticks', `${tick(from)} to ${tick(to)}`], ['ticks long', grouped(Math.round(to - from))],
		];
	}

	private async event(i: number): Promise<Fact[]> {
		const { rec, units } = this.state, { meta } = rec;
		const lane = meta.lanes[rec.lane[i]!]!, m = meta.machines[lane.machine]!;
		const facts = await rec.facts(i);
		const out: Fact[] = [
			['time', units.at(rec.ticks(i))],
			['host ticks', grouped(rec.base + BigInt(rec.ticks(i)))],
			[m.raw_ns ? 'own clock, ns' : m.guest ? 'guest ticks (raw)' : 'raw ticks', grouped(facts.raw)],
			['machine', `${m.name}${lane.cpu >= 0 ? `, CPU ${lane.cpu}` : ''}${lane.vcpu >= 0 ? `, vCPU ${lane.vcpu}` : ''}`],
		];
		if (rec.pid[i]! >= 0)
			out.push(['task', this.state.task(lane.machine, rec.pid[i]!)]);
		if (facts.width !== '0')
			out.push(['then or up to', `${units.span(Number(facts.width))} later`]);
		if (facts.error !== '0')
			out.push(['up to', `\u00b1${units.span(Number(facts.error))} off: the stamp is another clock's`]);
		if (facts.doubtful)
			out.push(['stamp', 'not kept by the ring buffer: a bound']);
		if (!m.aligned && lane.machine)
			out.push(['clock', m.why_unaligned || 'cannot be told in the host\u2019s']);
		if (lane.buffer)
			out.push(['buffer', lane.buffer]);
		for (const f of facts.fields)
			out.push([f.name, f.text]);
		return out;
	}

	private slice(p: Pick & { type: 'slice' }): Fact[] {
		const { rec, state } = { rec: this.state.rec, state: this.state };
		const { track } = p, s = track.slices!, what = s.what[p.i]!, more = s.more[p.i]!;
		const out: Fact[] = [];
		if (track.type === 'vcpu') {
			const v = rec.vcpuSlices, text = (n: number | undefined) => rec.strings[n ?? 0] ?? '';
			out.push(['vCPU', `${state.machineName(track.machine)}, ${track.label}`]);
			if (text(v.reason[more]))
				out.push(['exit reason', text(v.reason[more])]);
			if (what === VMM || v.within[more] === VMM) {
				if (text(v.user[more]))
					out.push(['for user space', text(v.user[more])]);
				if (text(v.handler[more]))
					out.push(['handler', text(v.handler[more])]);
			}
			if (v.within[more] !== what && what !== KVM)
				out.push(['while in', rec.meta.states[v.within[more]!] ?? '']);
			if (v.byPid[more]! >= 0)
				out.push([what === WAITING ? 'CPU was held by' : what === PREEMPTED ? 'by' : 'other task',
					text(v.byComm[more]) ? `${text(v.byComm[more])}-${v.byPid[more]}` : state.task(0, v.byPid[more]!)]);
		} else if (track.type === 'cpu') {
			out.push(['on', `${state.machineName(track.machine)}, ${track.label}`]);
			out.push(['task', state.task(track.machine, what)]);
			const role = this.role(track.machine, what);
			if (role)
				out.push(['is', role]);
		} else {
			out.push(['thread', `${track.label}-${track.note} of ${state.machineName(track.machine)}`], ['on', `host CPU ${what}`]);
		}
		return out.concat(this.times(s.from[p.i]!, s.to[p.i]!));
	}

	/** Whose vCPU a thread of the host is. */
	private role(machine: number, pid: number): string {
		if (machine || !pid)
			return '';
		for (const m of this.state.rec.meta.machines) {
			const v = m.vcpus.find(x => x.tid === pid);
			if (v)
				return `vCPU ${v.id} of ${m.name}`;
			if (m.guest && (m.tids.includes(pid) || m.pid === pid))
				return `a thread of ${m.name}\u2019s VMM`;
		}
		return '';
	}

	private exit(i: number): Fact[] {
		const { rec, state } = { rec: this.state.rec, state: this.state };
		const e = rec.exits, v = rec.meta.vcpus[e.vcpu[i]!]!, flags = e.flags[i]!;
		const text = (n: number) => rec.strings[n] ?? '';
		const out: Fact[] = [['vCPU', `${state.machineName(v.machine)}, vCPU ${v.id}`]];
		if (e.pid[i]! >= 0 || text(e.comm[i]!))
			out.push(['guest task', `${text(e.comm[i]!) || '<...>'}${e.pid[i]! >= 0 ? `-${e.pid[i]}` : ''}`]);
		const address = addresses[flags >> 2];
		if (address)
			out.push([address, `${hex(e.addressLo[i]!, e.addressHi[i]!)}${flags & 2 ? ' (write)' : ' (read)'}`]);
		out.push(['guest rip', hex(e.ripLo[i]!, e.ripHi[i]!)]);
		if (text(e.user[i]!))
			out.push(['for user space', text(e.user[i]!)]);
		if (text(e.handler[i]!))
			out.push(['handler', text(e.handler[i]!)]);
		if (e.cpu[i]! !== 0xffff)
			out.push(['host CPU', String(e.cpu[i])]);
		if (!(flags & 1))
			out.push(['incomplete', 'no re-entry was recorded']);
		return out.concat(this.times(e.from[i]!, e.to[i]!));
	}

	/** For the tip: the name, and a few lines. */
	short(p: Pick): { name: string; lines: string[] } {
		const { rec, units, state } = { rec: this.state.rec, units: this.state.units, state: this.state };
		if (p.type === 'event') {
			const lane = rec.meta.lanes[rec.lane[p.i]!]!;
			const task = state.task(lane.machine, rec.pid[p.i]!);
			return { name: this.name(p), lines: [units.at(rec.ticks(p.i)), `${state.machineName(lane.machine)} CPU ${lane.cpu}${task ? ` \u00b7 ${task}` : ''}`] };
		}
		const skip = ['from', 'to', 'host ticks', 'ticks long', 'on', 'vCPU'];
		const facts = p.type === 'slice' ? this.slice(p) : this.exit(p.i);
		return { name: this.name(p), lines: facts.filter(([n]) => !skip.includes(n)).map(([n, t]) => `${n}: ${t}`) };
	}
}
