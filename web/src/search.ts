// SPDX-License-Identifier: GPL-2.0-or-later
// Finds events: words in the event's name, its task or its machine; FIELD=TEXT in their fields.
import { get } from './dom';
import { State } from './state';
import { Track } from './tracks';
import { above, grouped } from './units';

export class Search {
	private readonly box = get<HTMLInputElement>('query');
	private readonly out = get('found');
	private turn = 0;
	private current = -1;

	constructor(private readonly state: State) {
		let timer = 0;
		this.box.addEventListener('input', () => {
			clearTimeout(timer);
			timer = window.setTimeout(() => void this.run(), 150);
		});
		this.box.addEventListener('keydown', e => {
			if (e.key === 'Enter') {
				e.preventDefault();
				clearTimeout(timer);
				void this.run().then(() => this.go(e.shiftKey ? -1 : 1));
			}
			if (e.key === 'Escape') {
				this.set('');
				this.box.blur();
			}
		});
		get('search').addEventListener('submit', e => e.preventDefault());
		get('next').addEventListener('click', () => this.go(1));
		get('prev').addEventListener('click', () => this.go(-1));
	}

	get text(): string {
		return this.box.value;
	}

	set(text: string): void {
		this.box.value = text;
		void this.run();
	}

	focus(): void {
		this.box.focus();
		this.box.select();
	}

	private done = '';

	private async run(): Promise<void> {
		const text = this.box.value.trim();
		if (text === this.done)
			return;
		this.done = text;
		const turn = ++this.turn;
		this.current = -1;
		this.out.textContent = text ? '\u2026' : '';
		const words = text.split(/\s+/).filter(Boolean);
		let found = text ? this.simple(words.filter(w => !/^[^=]+=/.test(w))) : [];
		for (const w of words.filter(x => /^[^=]+=/.test(x)))
			found = await this.byField(w, found, () => turn !== this.turn);
		if (turn !== this.turn)
			return;
		this.take(Uint32Array.from(found));
		this.out.textContent = text ? found.length ? grouped(found.length) : 'none' : '';
		this.state.changed('search');
	}

	/** Events that each word fits by name, task or machine. */
	private simple(words: string[]): number[] {
		const { rec } = this.state, { meta } = rec;
		const low = words.map(w => w.toLowerCase());
		const names = meta.kinds.map(k => `${k.system}:${k.name} ${meta.machines[k.machine]!.name}`.toLowerCase());
		const byKind = names.map(n => low.map(w => n.includes(w)));
		const tasks = meta.machines.map(() => new Map<number, boolean[]>());
		const found: number[] = [];
		for (let i = 0; i < rec.n; i++) {
			const kind = byKind[rec.kind[i]!]!, m = meta.lanes[rec.lane[i]!]!.machine, pid = rec.pid[i]!;
			let task = tasks[m]!.get(pid);
			if (!task) {
				const name = `${rec.task(m, pid)}-${pid}`.toLowerCase();
				task = low.map(w => name.includes(w));
				tasks[m]!.set(pid, task);
			}
			let all = true;
			for (let w = 0; w < low.length && all; w++)
				all = kind[w]! || task[w]!;
			if (all)
				found.push(i);
		}
		return found;
	}

	private async byField(word: string, among: number[], stop: () => boolean): Promise<number[]> {
		const { rec } = this.state;
		const cut = word.indexOf('='), field = word.slice(0, cut), text = word.slice(cut + 1).toLowerCase();
		if (field === 'pid')
			return among.filter(i => String(rec.pid[i]) === text);
		const kinds = Uint8Array.from(rec.meta.kinds, k => (k.fields.some(f => f[1] === field) ? 1 : 0));
		const allowed = new Uint8Array(rec.n);
		for (const i of among)
			allowed[i] = 1;
		const found: number[] = [];
		await rec.scan(kinds, (name, value) => name === field && value.toLowerCase().includes(text),
			i => { if (allowed[i]) found.push(i); }, stop);
		return found;
	}

	private take(found: Uint32Array): void {
		const { rec, tracks } = this.state;
		this.state.matches = found;
		const lists = new Map<Track, number[]>();
		for (const i of found) {
			const t = tracks.byLane[rec.lane[i]!];
			if (!t)
				continue;
			const list = lists.get(t);
			if (list)
				list.push(rec.time[i]!);
			else
				lists.set(t, [rec.time[i]!]);
		}
		this.state.matchTimes = new Map([...lists].map(([t, list]) => [t, Float64Array.from(list)]));
	}

	/** The next or previous match, from the chosen event or the left edge on. */
	go(step: 1 | -1): void {
		const { matches, rec, pick } = this.state, n = matches.length;
		if (!n)
			return;
		if (this.current < 0 || pick?.type !== 'event' || pick.i !== matches[this.current]) {
			const times = Float64Array.from(matches, i => rec.time[i]!);
			const from = pick?.type === 'event' ? rec.time[pick.i]! : this.state.t0;
			const next = above(times, from, 0, n);
			this.current = (step > 0 ? next : next - 1 + n) % n;
		} else {
			this.current = (this.current + step + n) % n;
		}
		this.out.textContent = `${grouped(this.current + 1)} of ${grouped(n)}`;
		this.state.choose({ type: 'event', i: matches[this.current]! }, true);
	}
}
