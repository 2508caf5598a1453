// SPDX-License-Identifier: GPL-2.0-or-later
// The timeline itself.
import { BLOCKED, GUEST, HALTED, KVM, PREEMPTED, STATES, UNKNOWN, VMM, WAITING } from './data';
import { css, patterns, taskColour, tickClass } from './colours';
import { Pixels } from './pixels';
import { Pick, State } from './state';
import { Track, sliceAt } from './tracks';
import { above, aboveNear } from './units';

export const GUTTER = 176, RULER = 26;
const HEAD = 24, GAP = 5;
/** Heights of a row's parts, when there is little room. */
const least = { slices: 18, strip: 9, alone: 14 };
const FONT = '12px system-ui, sans-serif', SMALL = '11px system-ui, sans-serif', BOLD = '600 12px system-ui, sans-serif';
/** From the bottom of a column that many slices share. */
const stack = [GUEST, KVM, VMM, PREEMPTED, WAITING, BLOCKED, HALTED, UNKNOWN];

interface Row { y: number; h: number; group: number; track: Track | undefined }
export interface Hit {
	zone: 'ruler' | 'gutter' | 'group' | 'lanes';
	t: number;
	row: Row | undefined;
	pick: Pick | undefined;
}
interface Label { x: number; w: number; y: number; text: string; colour: string }

export class Lanes {
	scroll = 0;
	hoverX = -1;
	/** Milliseconds that the last frames took to draw. */
	readonly frames: number[] = [];
	private readonly ctx: CanvasRenderingContext2D;
	private readonly pixels = new Pixels();
	private rows: Row[] = [];
	private size = least;
	private scale = 1;
	private w = 0;
	private h = 0;
	private labels: Label[] = [];
	private readonly sums = new Float64Array(STATES);
	private readonly classes: Uint8Array;
	private asked = false;

	constructor(readonly state: State, readonly canvas: HTMLCanvasElement) {
		this.ctx = canvas.getContext('2d', { alpha: false })!;
		this.classes = Uint8Array.from(state.rec.meta.kinds, k => tickClass(k.system));
		this.layout();
	}

	/** Rows grow with the room there is, up to twice their least height. */
	layout(): void {
		const { tracks } = this.state;
		this.size = least;
		this.place();
		const parts = this.rows.reduce((sum, r) => sum + (r.track ? r.h - GAP : 0), 0);
		const factor = Math.min(2, Math.max(1, parts ? 1 + (this.h - RULER - this.height) / parts : 1));
		if (factor < 1.05 || !tracks.all.length)
			return;
		const grown = (v: number) => Math.floor(v * factor);
		this.size = { slices: grown(least.slices), strip: grown(least.strip), alone: grown(least.alone) };
		this.place();
	}

	private place(): void {
		const { tracks } = this.state;
		this.rows = [];
		let y = 0;
		tracks.groups.forEach((g, i) => {
			this.rows.push({ y, h: HEAD, group: i, track: undefined });
			y += HEAD;
			for (const t of g.open ? tracks.all.filter(x => x.group === i) : []) {
				const { slices, strip, alone } = this.size;
				const h = (t.slices ? slices : 0) + (t.events.length ? (t.slices ? strip : alone) : 0) + GAP;
				this.rows.push({ y, h, group: i, track: t });
				y += h;
			}
		});
		this.rows.push({ y, h: 12, group: -1, track: undefined });
	}

	get height(): number {
		const last = this.rows[this.rows.length - 1];
		return last ? last.y + last.h : 0;
	}

	/** Draws with the next frame. */
	ask(): void {
		if (this.asked)
			return;
		this.asked = true;
		requestAnimationFrame(() => {
			this.asked = false;
			this.draw();
		});
	}

	get plotWidth(): number {
		return Math.max(1, this.w - GUTTER);
	}

	timeAt(x: number): number {
		const { t0, t1 } = this.state;
		return t0 + (x - GUTTER) / this.plotWidth * (t1 - t0);
	}

	xOf(t: number): number {
		const { t0, t1 } = this.state;
		return GUTTER + (t - t0) / (t1 - t0) * this.plotWidth;
	}

	scrollBy(d: number): void {
		this.scroll = Math.max(0, Math.min(this.scroll + d, this.height - (this.h - RULER)));
		this.ask();
	}

	/** Scrolls to and opens what a track is in. */
	reveal(t: Track): void {
		const g = this.state.tracks.groups[t.group]!;
		if (!g.open) {
			g.open = true;
			this.layout();
		}
		const row = this.rows.find(r => r.track === t);
		if (!row)
			return;
		if (row.y < this.scroll)
			this.scroll = Math.max(0, row.y - HEAD);
		else if (row.y + row.h > this.scroll + this.h - RULER)
			this.scroll = row.y + row.h - (this.h - RULER) + 8;
		this.ask();
	}

	hit(x: number, y: number): Hit {
		const t = this.timeAt(Math.max(x, GUTTER));
		if (y < RULER)
			return { zone: 'ruler', t, row: undefined, pick: undefined };
		const v = y - RULER + this.scroll;
		const row = this.rows.find(r => v >= r.y && v < r.y + r.h && r.group >= 0);
		if (row && !row.track)
			return { zone: 'group', t, row, pick: undefined };
		if (x < GUTTER)
			return { zone: 'gutter', t, row, pick: undefined };
		return { zone: 'lanes', t, row, pick: row?.track && this.pickAt(row.track, v - row.y, t) };
	}

	private pickAt(track: Track, y: number, t: number): Pick | undefined {
		const perPixel = (this.state.t1 - this.state.t0) / this.plotWidth;
		if (track.slices && y < this.size.slices + 2) {
			const s = track.slices;
			let i = sliceAt(s, t);
			const next = above(s.from, t, 0, s.n);
			if (i < 0 && next < s.n && s.from[next]! - t < 2 * perPixel)
				i = next;
			return i < 0 ? undefined : { type: 'slice', track, i };
		}
		if (!track.events.length)
			return undefined;
		const n = track.times.length, right = above(track.times, t, 0, n);
		let best = right;
		if (right >= n || (right > 0 && t - track.times[right - 1]! <= track.times[right]! - t))
			best = right - 1;
		return Math.abs(track.times[best]! - t) <= 5 * perPixel ? { type: 'event', i: track.events[best]! } : undefined;
	}

	/* --- drawing --- */

	draw(): void {
		const began = performance.now();
		const { canvas, ctx, state } = this, { theme } = state;
		const box = canvas.parentElement!.getBoundingClientRect();
		this.scale = window.devicePixelRatio || 1;
		this.w = Math.floor(box.width);
		this.h = Math.floor(box.height);
		const w = Math.round(this.w * this.scale), h = Math.round(this.h * this.scale);
		if (canvas.width !== w || canvas.height !== h) {
			this.layout();
			canvas.width = w;
			canvas.height = h;
			canvas.style.width = `${this.w}px`;
			canvas.style.height = `${this.h}px`;
		}
		if (w < 2 || h < 2)
			return;
		this.scroll = Math.max(0, Math.min(this.scroll, this.height - (this.h - RULER)));
		this.pixels.resize(ctx, w, h);
		this.pixels.fill(theme.backPixel);
		this.labels = [];
		const marks = this.marks();
		this.drawGrid(marks);
		for (const row of this.rows)
			this.drawRow(row);
		ctx.setTransform(1, 0, 0, 1, 0, 0);
		this.pixels.show(ctx);
		ctx.setTransform(this.scale, 0, 0, this.scale, 0, 0);
		this.drawText();
		this.drawPick();
		this.drawWindow();
		this.drawHeads();
		this.drawRuler(marks);
		this.drawHover();
		this.frames.push(performance.now() - began);
		if (this.frames.length > 500)
			this.frames.splice(0, 250);
	}

	private device(v: number): number {
		return Math.round(v * this.scale);
	}

	/** Where the ruler has marks: round numbers of ns (or ticks), about 110 pixels apart. */
	private marks(): { step: number; at: number[] } {
		const { t0, t1, units } = this.state;
		const rough = (t1 - t0) / this.plotWidth * 110 / units.unit;
		const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
		const factor = [1, 2, 5, 10].find(f => f * power >= rough) ?? 10;
		const step = factor * power * units.unit;
		const at = [];
		for (let i = Math.ceil(t0 / step); i * step <= t1 && at.length < 100; i++)
			at.push(i * step);
		return { step, at };
	}

	private drawGrid(marks: { at: number[] }): void {
		const { theme } = this.state;
		const grid = Math.max(1, Math.round(this.scale));
		const bottom = this.device(Math.min(this.h, RULER + this.height - this.scroll));
		for (const t of marks.at) {
			const x = this.device(this.xOf(t));
			if (x >= this.device(GUTTER))
				this.pixels.rect(x, this.device(RULER), x + grid, bottom, theme.headPixel);
		}
	}

	private drawRow(row: Row): void {
		const y = RULER + row.y - this.scroll;
		const { track } = row;
		if (y > this.h || y + row.h < RULER || !track)
			return;
		const { theme } = this.state;
		this.pixels.rect(0, this.device(y + row.h) - 1, this.pixels.w, this.device(y + row.h), theme.rowPixel);
		let top = y + GAP / 2;
		if (track.slices && track.lod) {
			this.drawSlices(track, top);
			top += this.size.slices;
		}
		if (track.events.length)
			this.drawStrip(track, top, track.slices ? this.size.strip : this.size.alone);
		this.drawLost(track, y, row.h);
	}

	/** Long slices one by one; those that share a pixel as its column. */
	private drawSlices(track: Track, top: number): void {
		const s = track.slices!, { t0, t1 } = this.state;
		const left = this.device(GUTTER), width = this.pixels.w - left;
		const perTick = width / (t1 - t0), perPixel = 1 / perTick;
		const y0 = this.device(top), y1 = this.device(top + this.size.slices - 2);
		let i = above(s.to, t0, 0, s.n), now = t0;
		while (i < s.n && s.from[i]! < t1) {
			const from = Math.max(s.from[i]!, now), to = s.to[i]!;
			const x0 = (from - t0) * perTick, x1 = (Math.min(to, t1) - t0) * perTick;
			if (x1 - x0 >= 1 || to - from >= (t1 - t0)) {
				this.drawSlice(track, i, left + Math.round(x0), left + Math.round(x1), y0, y1, top);
				now = to;
				i++;
				continue;
			}
			const column = Math.floor(x0), end = Math.max(t0 + (column + 1) * perPixel, from + perPixel * 1e-3);
			const next = Math.max(i + 1, aboveNear(s.from, end, i, s.n));
			this.drawColumn(track, i, next, now, end, perPixel, left + column, y0, y1);
			now = Math.max(end, now);
			i = next > i + 1 && s.to[next - 1]! > end ? next - 1 : next;
		}
	}

	private drawColumn(track: Track, i: number, next: number, from: number, end: number, whole: number,
		x: number, y0: number, y1: number): void {
		const { sums, pixels } = this, { theme } = this.state;
		sums.fill(0);
		const longest = track.lod!.add(i, next, from, end, sums);
		const height = y1 - y0;
		let y = y1;
		if (track.type === 'vcpu') {
			let all = 0;
			for (const st of stack)
				all += sums[st]!;
			let sum = 0;
			for (const st of stack) {
				sum += sums[st]!;
				const top = all ? y1 - Math.round(sum / all * height) : y;
				pixels.rect(x, top, x + 1, y, theme.states[st]!);
				y = top;
			}
			return;
		}
		const cpu = track.type === 'cpu';
		const busy = Math.min(1, (cpu ? sums[1]! : sums[0]!) / whole);
		const idle = cpu && !track.slices!.what[longest];
		const top = y1 - Math.max(idle ? 0 : Math.round(2 * this.scale), Math.round(busy * height));
		if (!idle)
			pixels.rect(x, top, x + 1, y1, this.sliceColour(track, longest));
		else
			pixels.rect(x, y0 + (height >> 1), x + 1, y0 + (height >> 1) + Math.round(this.scale), theme.idle);
	}

	private sliceColour(track: Track, i: number): number {
		const { theme, rec } = this.state, what = track.slices!.what[i]!;
		if (track.type === 'vcpu')
			return theme.states[what]!;
		if (track.type === 'thread')
			return theme.thread;
		return what ? taskColour(theme, rec.task(track.machine, what)) : theme.idle;
	}

	private drawSlice(track: Track, i: number, x0: number, x1: number, y0: number, y1: number, top: number): void {
		const { theme } = this.state, { pixels, scale } = this;
		const what = track.slices!.what[i]!, colour = this.sliceColour(track, i);
		if (track.type === 'cpu' && !what) {
			const middle = (y0 + y1) >> 1;
			pixels.rect(x0, middle, x1, middle + Math.max(1, Math.round(1.5 * scale)), colour);
			return;
		}
		/* A gap of one pixel between neighbours that can spare it. */
		const end = x1 - x0 > 3 * scale ? x1 - Math.max(1, Math.round(scale)) : Math.max(x1, x0 + 1);
		if (track.type === 'vcpu')
			pixels.pattern(x0, y0, end, y1, colour, patterns[what]!, theme.dark ? 0xff000000 : 0xffffffff, scale);
		else
			pixels.rect(x0, y0, end, y1, colour);
		const x = Math.max(x0 / scale, GUTTER), w = end / scale - x;
		if (w < 26)
			return;
		const ink = track.type === 'vcpu' ? theme.stateText[what]! : theme.dark ? '#101317' : '#ffffff';
		if (track.type !== 'vcpu' || what !== HALTED)
			this.labels.push({ x: x + 4, w: w - 6, y: top + (this.size.slices - 2) / 2, text: this.sliceText(track, i), colour: ink });
	}

	/** What a slice says of itself in few words. */
	sliceText(track: Track, i: number): string {
		const { rec, state } = { rec: this.state.rec, state: this.state };
		const what = track.slices!.what[i]!;
		if (track.type === 'thread')
			return `CPU ${what}`;
		if (track.type === 'cpu')
			return what ? `${rec.task(track.machine, what)}-${what}` : 'idle';
		const name = rec.meta.states[what] ?? '', more = track.slices!.more[i]!, v = rec.vcpuSlices;
		if (what === KVM)
			return rec.strings[v.reason[more]!] || name;
		if (what === VMM)
			return rec.strings[v.handler[more]!] || rec.strings[v.user[more]!] || name;
		if (what === PREEMPTED && v.byPid[more]! >= 0)
			return `preempted by ${rec.strings[v.byComm[more]!] || state.task(0, v.byPid[more]!)}`;
		return name;
	}

	private drawStrip(track: Track, top: number, high: number): void {
		const { t0, t1, theme, rec } = this.state, { pixels } = this;
		const left = this.device(GUTTER), width = pixels.w - left;
		const perPixel = (t1 - t0) / width;
		const y0 = this.device(top), y1 = this.device(top + high - 2);
		const times = track.times, n = times.length;
		let i = above(times, t0, 0, n);
		const last = above(times, t1, i, n);
		const wide = last - i < width / 12 ? Math.max(1, Math.round(2 * this.scale)) : 1;
		while (i < last) {
			const column = Math.floor((times[i]! - t0) / perPixel);
			const next = Math.max(i + 1, aboveNear(times, t0 + (column + 1) * perPixel, i, last));
			const count = next - i, kind = rec.kind[track.events[i + (count >> 1)]!]!;
			const colour = theme.tick[this.classes[kind]!]!;
			const full = y1 - y0, tall = Math.min(full, Math.round(full * (0.5 + 0.08 * Math.log2(count + 1))));
			pixels.rect(left + column, y1 - tall, left + column + wide, y1, colour);
			i = next;
		}
		const found = this.state.matchTimes.get(track);
		for (let m = found ? above(found, t0, 0, found.length) : 0; found && m < found.length && found[m]! < t1;) {
			const column = Math.floor((found[m]! - t0) / perPixel);
			pixels.rect(left + column, y0 - this.device(2), left + column + Math.round(2 * this.scale), y1, theme.matchPixel);
			m = Math.max(m + 1, aboveNear(found, t0 + (column + 1) * perPixel, m, found.length));
		}
	}

	private drawLost(track: Track, y: number, h: number): void {
		const { theme } = this.state, { pixels } = this;
		for (const l of track.lost) {
			const x0 = Math.max(this.device(GUTTER), this.device(this.xOf(l.from)));
			const x1 = Math.max(x0 + Math.round(2 * this.scale), this.device(this.xOf(l.to)));
			if (this.xOf(l.to) < GUTTER || x0 > pixels.w)
				continue;
			pixels.pattern(x0, this.device(y + h - 4), x1, this.device(y + h - 1), theme.lostPixel, 'up', theme.backPixel, this.scale);
		}
	}

	/* --- over the pixels --- */

	private fitted(text: string, width: number): string {
		const { ctx } = this;
		if (ctx.measureText(text).width <= width)
			return text;
		let lo = 0, hi = text.length;
		while (lo < hi) {
			const mid = (lo + hi + 1) >> 1;
			if (ctx.measureText(`${text.slice(0, mid)}\u2026`).width <= width)
				lo = mid;
			else
				hi = mid - 1;
		}
		return lo ? `${text.slice(0, lo)}\u2026` : '';
	}

	private drawText(): void {
		const { ctx } = this;
		ctx.font = SMALL;
		ctx.textBaseline = 'middle';
		ctx.textAlign = 'left';
		for (const l of this.labels) {
			const text = this.fitted(l.text, l.w);
			/* One or two letters tell nothing. */
			if (text !== l.text && text.length < 5)
				continue;
			ctx.fillStyle = l.colour;
			ctx.fillText(text, l.x, l.y + 0.5);
		}
	}

	private drawHeads(): void {
		const { ctx, state } = this, { theme } = state;
		ctx.fillStyle = theme.back;
		ctx.fillRect(0, RULER, GUTTER, this.h - RULER);
		ctx.fillStyle = theme.line;
		ctx.fillRect(GUTTER - 1, RULER, 1, this.h - RULER);
		ctx.textBaseline = 'middle';
		const chosen = state.pick && state.track(state.pick);
		for (const row of this.rows) {
			const y = RULER + row.y - this.scroll;
			if (y > this.h || y + row.h < RULER || row.group < 0)
				continue;
			if (!row.track) {
				this.drawGroup(row, y);
				continue;
			}
			const middle = y + row.h / 2;
			if (row.track === chosen) {
				ctx.fillStyle = theme.accent;
				ctx.fillRect(0, y + 1, 3, row.h - 2);
			}
			ctx.font = FONT;
			ctx.fillStyle = theme.text;
			const label = this.fitted(row.track.label, GUTTER - 32);
			ctx.fillText(label, 20, middle);
			const used = 20 + ctx.measureText(label).width + 8;
			ctx.font = SMALL;
			ctx.fillStyle = theme.dim;
			ctx.fillText(this.fitted(row.track.note, GUTTER - used - 6), used, middle);
		}
	}

	private drawGroup(row: Row, y: number): void {
		const { ctx, state } = this, { theme } = state, g = state.tracks.groups[row.group]!;
		ctx.fillStyle = theme.head;
		ctx.fillRect(0, y, this.w, row.h);
		ctx.fillStyle = theme.dim;
		ctx.beginPath();
		const x = 8, m = y + row.h / 2;
		if (g.open)
			[[x, m - 2], [x + 8, m - 2], [x + 4, m + 3]].forEach(([a, b]) => ctx.lineTo(a!, b!));
		else
			[[x + 2, m - 4], [x + 2, m + 4], [x + 7, m]].forEach(([a, b]) => ctx.lineTo(a!, b!));
		ctx.fill();
		ctx.font = BOLD;
		ctx.fillStyle = theme.text;
		const name = this.fitted(g.name, 400);
		ctx.fillText(name, 22, m);
		const used = 22 + ctx.measureText(name).width + 10;
		ctx.font = SMALL;
		ctx.fillStyle = theme.dim;
		ctx.fillText(this.fitted(g.note, this.w - used - 12), used, m);
	}

	private drawRuler(marks: { step: number; at: number[] }): void {
		const { ctx, state } = this, { theme } = state;
		ctx.fillStyle = theme.back;
		ctx.fillRect(0, 0, this.w, RULER);
		ctx.fillStyle = theme.line;
		ctx.fillRect(0, RULER - 1, this.w, 1);
		ctx.font = SMALL;
		ctx.textBaseline = 'middle';
		ctx.fillStyle = theme.dim;
		ctx.fillText(`${state.units.span(state.t1 - state.t0)} in view`, 8, RULER / 2);
		for (const t of marks.at) {
			const x = this.xOf(t);
			if (x < GUTTER)
				continue;
			ctx.fillStyle = theme.line;
			ctx.fillRect(Math.round(x), RULER - 7, 1, 6);
			ctx.fillStyle = theme.dim;
			const text = state.units.mark(t, marks.step);
			if (x + 4 + ctx.measureText(text).width < this.w)
				ctx.fillText(text, x + 4, RULER / 2);
		}
	}

	private drawPick(): void {
		const { ctx, state } = this, p = state.pick;
		const track = p && state.track(p);
		const row = track && this.rows.find(r => r.track === track);
		if (!p || !row)
			return;
		const [from, to] = state.span(p);
		const y = RULER + row.y - this.scroll + GAP / 2;
		const x0 = Math.max(GUTTER - 4, this.xOf(from)), x1 = Math.min(this.w + 4, this.xOf(to));
		if (x1 < GUTTER - 4 || x0 > this.w + 4)
			return;
		ctx.strokeStyle = ctx.fillStyle = state.theme.select;
		ctx.lineWidth = 2;
		if (p.type === 'event') {
			const top = y + (track.slices ? this.size.slices : 0);
			const high = track.slices ? this.size.strip : this.size.alone;
			ctx.fillRect(Math.round(x0) - 1, y - 1, 3, top + high - y);
			ctx.beginPath();
			ctx.moveTo(x0 - 5, top + high + 3);
			ctx.lineTo(x0 + 6, top + high + 3);
			ctx.lineTo(x0 + 0.5, top + high - 4);
			ctx.fill();
			return;
		}
		ctx.strokeRect(Math.round(x0) - 1, y - 1, Math.max(3, x1 - x0 + 1), this.size.slices);
	}

	private drawWindow(): void {
		const { ctx, state } = this, w = state.window;
		if (!w)
			return;
		const { theme } = state;
		const x0 = Math.max(GUTTER, this.xOf(w[0])), x1 = Math.min(this.w, this.xOf(w[1]));
		if (x1 < GUTTER || x0 > this.w)
			return;
		ctx.globalAlpha = theme.dark ? 0.16 : 0.1;
		ctx.fillStyle = theme.accent;
		ctx.fillRect(x0, RULER, x1 - x0, this.h - RULER);
		ctx.globalAlpha = 1;
		ctx.fillRect(x0, RULER, 1, this.h - RULER);
		ctx.fillRect(x1 - 1, RULER, 1, this.h - RULER);
		const text = state.units.span(w[1] - w[0]);
		ctx.font = BOLD;
		const width = ctx.measureText(text).width + 14;
		const x = Math.min(Math.max((x0 + x1 - width) / 2, GUTTER + 2), this.w - width - 2);
		const y = Math.min(this.h, RULER + this.height - this.scroll) - 26;
		ctx.fillStyle = theme.accent;
		ctx.beginPath();
		ctx.rect(x, y, width, 20);
		ctx.fill();
		ctx.fillStyle = theme.dark ? '#0c1116' : '#ffffff';
		ctx.textBaseline = 'middle';
		ctx.fillText(text, x + 7, y + 10.5);
	}

	private drawHover(): void {
		const { ctx, state } = this, x = this.hoverX;
		if (x < GUTTER)
			return;
		const { theme } = state;
		ctx.globalAlpha = 0.6;
		ctx.fillStyle = theme.dim;
		ctx.fillRect(Math.round(x), RULER, 1, this.h - RULER);
		ctx.globalAlpha = 1;
		ctx.font = SMALL;
		const text = state.units.at(this.timeAt(x));
		const width = ctx.measureText(text).width + 12;
		const at = Math.min(Math.max(x - width / 2, GUTTER), this.w - width);
		ctx.fillStyle = theme.text;
		ctx.fillRect(at, 3, width, RULER - 7);
		ctx.fillStyle = theme.back;
		ctx.textBaseline = 'middle';
		ctx.fillText(text, at + 6, RULER / 2);
	}

	colourOf(state: number): string {
		return css(this.state.theme.states[state]!);
	}
}
