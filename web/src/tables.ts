// SPDX-License-Identifier: GPL-2.0-or-later
// The table of exits and the histogram of durations, both of the window that is measured (or of what
// is in view, or of everything).
import { Exits, STATES } from './data';
import { css } from './colours';
import { get, make, svg, visible } from './dom';
import { State } from './state';
import { above, duration, grouped } from './units';

interface Row {
	name: string; key: string; n: number; sum: number; p50: number; p99: number; max: number; longest: number;
	parts: Float64Array;
	exits: number[];
}
interface Column { title: string; tip: string; value: (r: Row) => number | string; text: (r: Row) => string }

export class Tables {
	private rows: Row[] = [];
	private sort = 2;
	private down = true;
	private chosen = '';
	private readonly body = document.querySelector('#exits tbody') as HTMLElement;
	private readonly columns: Column[];

	constructor(private readonly state: State) {
		const span = (t: number) => state.units.span(t);
		this.columns = [
			{ title: 'Exit', tip: 'why the vCPU left the guest', value: r => r.name, text: r => r.name },
			{ title: 'Count', tip: 'exits', value: r => r.n, text: r => grouped(r.n) },
			{ title: 'Total', tip: 'from the exits to the next entries', value: r => r.sum, text: r => span(r.sum) },
			{ title: 'Median', tip: 'half of them were shorter', value: r => r.p50, text: r => span(r.p50) },
			{ title: 'p99', tip: '99 of 100 were shorter', value: r => r.p99, text: r => span(r.p99) },
			{ title: 'Longest', tip: 'click a row to go to it', value: r => r.max, text: r => span(r.max) },
			{ title: 'Where the time went', tip: 'KVM, VMM, preempted, waiting, halted, blocked', value: () => 0, text: () => '' },
		];
		this.makeHead();
		for (const id of ['by', 'visible'])
			get(id).addEventListener('change', () => this.update());
		get('filter').addEventListener('input', () => this.showRows());
		get('what').addEventListener('change', () => this.showBars());
		this.body.addEventListener('click', e => this.open((e.target as HTMLElement).closest('tr')));
		this.body.addEventListener('keydown', e => {
			if (e.key === 'Enter')
				this.open((e.target as HTMLElement).closest('tr'));
		});
		this.makeChoices();
	}

	private makeHead(): void {
		const head = document.querySelector('#exits thead tr')!;
		this.columns.forEach((c, i) => {
			const th = make('th', undefined, i ? 'number' : ''), b = make('button', c.title);
			b.type = 'button';
			th.title = b.title = c.tip;
			b.addEventListener('click', () => {
				this.down = this.sort === i ? !this.down : i > 0;
				this.sort = i;
				this.showRows();
			});
			if (i === this.columns.length - 1)
				th.textContent = c.title;
			else
				th.append(b);
			head.append(th);
		});
	}

	private makeChoices(): void {
		const what = get<HTMLSelectElement>('what'), { meta } = this.state.rec;
		const add = (value: string, text: string) => {
			const o = make('option', text);
			o.value = value;
			what.append(o);
		};
		add('exit', 'exits');
		meta.states.forEach((name, s) => { if (s) add(`s${s}`, `vCPU: ${name}`); });
	}

	/** What the tables are about. */
	range(): [number, number] {
		if (get<HTMLInputElement>('visible').checked)
			return [this.state.t0, this.state.t1];
		return this.state.window ?? [0, this.state.rec.span];
	}

	private keyOf(e: Exits, i: number): string {
		const { strings, meta } = this.state.rec, by = get<HTMLSelectElement>('by').value;
		const reason = strings[e.reason[i]!] || '(unknown)';
		if (by === 'task')
			return `${reason} \u00b7 ${strings[e.comm[i]!] || (e.pid[i]! >= 0 ? `pid ${e.pid[i]}` : 'unknown task')}`;
		if (by === 'handler')
			return `${reason} \u00b7 ${strings[e.handler[i]!] || strings[e.user[i]!] || 'KVM only'}`;
		const v = meta.vcpus[e.vcpu[i]!]!;
		return by === 'vcpu' ? `${reason} \u00b7 ${this.state.machineName(v.machine)} vCPU ${v.id}` : reason;
	}

	update(): void {
		const { rec } = this.state, e = rec.exits, [a, b] = this.range();
		const rows = new Map<string, Row>();
		for (let i = 0; i < e.n; i++) {
			if (e.from[i]! < a || e.from[i]! > b)
				continue;
			const key = this.keyOf(e, i);
			let r = rows.get(key);
			if (!r)
				rows.set(key, r = { name: visible(key), key, n: 0, sum: 0, p50: 0, p99: 0, max: 0, longest: i, parts: new Float64Array(STATES), exits: [] });
			r.n++;
			r.exits.push(i);
			if (!(e.flags[i]! & 1)) // no re-entry: counted, without a duration
				continue;
			const t = e.to[i]! - e.from[i]!;
			r.sum += t;
			if (t > r.max) {
				r.max = t;
				r.longest = i;
			}
			for (let s = 0; s < STATES; s++)
				r.parts[s] += e.parts[i * STATES + s]!;
		}
		this.rows = [...rows.values()];
		for (const r of this.rows) {
			const t = this.lengths(r.exits);
			r.p50 = quantile(t, 0.5);
			r.p99 = quantile(t, 0.99);
		}
		this.tellScope(a, b);
		this.showRows();
		this.showBars();
	}

	private tellScope(a: number, b: number): void {
		const { state } = this;
		const inView = get<HTMLInputElement>('visible').checked;
		get('scope').textContent = inView ? `in view: ${state.units.span(b - a)}`
			: state.window ? `in the window: ${state.units.span(b - a)}` : 'whole recording';
	}

	/** Sorted durations of complete exits. */
	private lengths(exits: number[]): Float64Array {
		const e = this.state.rec.exits;
		return Float64Array.from(exits.filter(i => e.flags[i]! & 1), i => e.to[i]! - e.from[i]!).sort();
	}

	private showRows(): void {
		const { theme, rec } = this.state, column = this.columns[this.sort]!;
		const want = get<HTMLInputElement>('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
		const rows = this.rows.filter(r => want.every(w => r.name.toLowerCase().includes(w)));
		rows.sort((x, y) => {
			const a = column.value(x), b = column.value(y);
			const d = typeof a === 'string' ? a.localeCompare(b as string) : a - (b as number);
			return (this.down ? -d : d) || x.name.localeCompare(y.name);
		});
		document.querySelectorAll('#exits th').forEach((th, i) =>
			th.setAttribute('aria-sort', i !== this.sort ? 'none' : this.down ? 'descending' : 'ascending'));
		const most = rows.reduce((m, r) => Math.max(m, r.sum), 0);
		this.body.replaceChildren(...rows.slice(0, 500).map(r => {
			const tr = make('tr');
			tr.tabIndex = 0;
			tr.dataset.key = r.key;
			tr.title = 'Click: go to the longest';
			tr.setAttribute('aria-selected', String(r.key === this.chosen));
			this.columns.slice(0, -1).forEach((c, i) => tr.append(make('td', c.text(r), i ? 'number' : 'name')));
			const bar = make('div', undefined, 'parts');
			bar.style.width = `${most ? Math.max(2, r.sum / most * 100) : 0}%`;
			const all = r.parts.reduce((s, v) => s + v, 0);
			const told: string[] = [];
			r.parts.forEach((t, s) => {
				if (!t)
					return;
				const piece = make('i');
				piece.style.flexGrow = String(t / all);
				piece.style.background = css(theme.states[s]!);
				told.push(`${rec.meta.states[s]} ${(t / all * 100).toFixed(1)} %`);
				bar.append(piece);
			});
			bar.title = told.join(', ');
			const td = make('td', undefined, 'where');
			td.append(bar);
			tr.append(td);
			return tr;
		}));
		if (!rows.length) {
			const td = make('td', this.emptyText(), 'empty'), tr = make('tr');
			td.colSpan = this.columns.length;
			tr.append(td);
			this.body.append(tr);
		}
	}

	private emptyText(): string {
		const { rec } = this.state;
		if (!rec.exits.n)
			return rec.meta.vcpus.length ? 'No exits: kvm_exit and kvm_entry were not recorded.' : 'No exits: the threads of no vCPU are known.';
		return this.rows.length ? 'No exit has such a name.' : 'No exits in this part.';
	}

	private open(tr: HTMLElement | null): void {
		const r = tr && this.rows.find(x => x.key === tr.dataset.key);
		if (!r)
			return;
		this.chosen = r.key;
		get<HTMLSelectElement>('what').value = 'exit';
		for (const x of this.body.children)
			x.setAttribute('aria-selected', String((x as HTMLElement).dataset.key === r.key));
		this.showBars();
		this.state.choose({ type: 'exit', i: r.longest }, true);
	}

	clearChoice(): void {
		if (!this.chosen)
			return;
		this.chosen = '';
		this.showRows();
		this.showBars();
	}

	/** Durations that the histogram counts, and what to choose for each. */
	private durations(): { t: number; open: () => void }[] {
		const { state } = this, what = get<HTMLSelectElement>('what').value, [a, b] = this.range();
		const e = state.rec.exits, out: { t: number; open: () => void }[] = [];
		if (what === 'exit') {
			const chosen = this.rows.find(r => r.key === this.chosen);
			for (const r of chosen ? [chosen] : this.rows)
				for (const i of r.exits)
					if (e.flags[i]! & 1)
						out.push({ t: e.to[i]! - e.from[i]!, open: () => state.choose({ type: 'exit', i }, true) });
			return out;
		}
		const wanted = Number(what.slice(1));
		for (const track of state.tracks.all) {
			const s = track.type === 'vcpu' ? track.slices : undefined;
			for (let i = s ? above(s.from, a - 0.5, 0, s.n) : 0; s && i < s.n && s.from[i]! <= b; i++)
				if (s.what[i] === wanted)
					out.push({ t: s.to[i]! - s.from[i]!, open: () => state.choose({ type: 'slice', track, i }, true) });
		}
		return out;
	}

	showBars(): void {
		const box = get('bars'), all = this.durations();
		if (!all.length) {
			box.replaceChildren(make('p', 'Nothing of that kind in this part.', 'empty'));
			return;
		}
		/* Two bars for each doubling. */
		const { units } = this.state, unit = units.unit;
		const bin = (t: number) => Math.floor(2 * Math.log2(Math.max(1, t / unit)));
		let lo = Infinity, hi = 0;
		for (const d of all) {
			lo = Math.min(lo, bin(d.t));
			hi = Math.max(hi, bin(d.t));
		}
		const bars = Array.from({ length: hi - lo + 1 }, () => ({ n: 0, longest: all[0]! }));
		for (const d of all) {
			const bar = bars[bin(d.t) - lo]!;
			if (!bar.n++ || d.t > bar.longest.t)
				bar.longest = d;
		}
		box.replaceChildren(this.picture(bars, lo), this.summary(all));
	}

	private summary(all: { t: number }[]): HTMLElement {
		const t = Float64Array.from(all, d => d.t).sort(), { units } = this.state;
		const chosen = get<HTMLSelectElement>('what').value === 'exit' && this.chosen ? `${visible(this.chosen)}: ` : '';
		return make('p', `${chosen}${grouped(t.length)} in all \u00b7 median ${units.span(quantile(t, 0.5))} \u00b7 p99 ${units.span(quantile(t, 0.99))} \u00b7 longest ${units.span(t[t.length - 1]!)}`, 'sum');
	}

	private picture(bars: { n: number; longest: { t: number; open: () => void } }[], lo: number): Element {
		const box = get('bars'), most = Math.max(...bars.map(b => b.n)), n = Math.max(bars.length, 16);
		const width = Math.max(200, box.clientWidth - 20), high = Math.max(40, box.clientHeight - 88), wide = width / n;
		const picture = svg('svg', { viewBox: `0 0 ${width} ${high + 30}`, preserveAspectRatio: 'xMidYMin meet', role: 'img', 'aria-label': 'Histogram of durations' });
		const { units } = this.state;
		const at = (k: number) => 2 ** ((lo + k) / 2);
		const label = (v: number) => (units.hasTime ? duration(v).replace(/\.\d+/, m => (v < 10 ? m.slice(0, 2) : '')) : grouped(Math.round(v)));
		bars.forEach((b, k) => {
			const g = svg('g', { class: b.n ? 'bar' : '' });
			const tall = b.n ? Math.max(2, b.n / most * high) : 0;
			g.append(svg('rect', { x: k * wide, y: 0, width: wide, height: high + 12, class: 'room' }));
			g.append(svg('rect', { x: k * wide + 1, y: high + 10 - tall, width: wide - 2, height: tall }));
			const title = svg('title', {});
			title.textContent = `${grouped(b.n)} of ${label(at(k))} to ${label(at(k + 1))}; click: the longest of them`;
			g.append(title);
			if (b.n)
				g.addEventListener('click', () => b.longest.open());
			picture.append(g);
		});
		const every = Math.max(1, Math.ceil(52 / wide));
		for (let k = 0; k * wide < width - 40; k += every) {
			const text = svg('text', { x: k * wide + 1, y: high + 24 });
			text.textContent = label(at(k));
			picture.append(text);
		}
		picture.append(svg('line', { x1: 0, x2: width, y1: high + 10.5, y2: high + 10.5 }));
		const top = svg('text', { x: width, y: 9, 'text-anchor': 'end' });
		top.textContent = `tallest: ${grouped(most)}`;
		picture.append(top);
		return picture;
	}
}

function quantile(sorted: Float64Array, q: number): number {
	return sorted.length ? sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]! : 0;
}
