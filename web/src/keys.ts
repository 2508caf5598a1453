// SPDX-License-Identifier: GPL-2.0-or-later
// Mouse and keyboard.
import { Details } from './details';
import { get, make, visible } from './dom';
import { GUTTER, Hit, Lanes } from './lanes';
import { Search } from './search';
import { Pick, State } from './state';

export interface Actions { theme: () => void; measure: () => void; isMeasuring: () => boolean }

export const help: [string, string][] = [
	['Wheel; W S', 'zoom at the mouse; in the middle'],
	['Drag; A D', 'move; Shift with a letter: faster'],
	['Shift+wheel, wheel on the labels', 'scroll the rows; also up and down'],
	['Click', 'choose an event or a slice'],
	['Double click', 'zoom to the slice'],
	['Left, right', 'the event or slice before and behind the chosen one'],
	['Shift+drag, drag on the ruler, M', 'measure a window: the tables are then about it'],
	['Ctrl+drag', 'zoom to a part'],
	['F', 'zoom to what is chosen, or to the window'],
	['0', 'the whole recording'],
	['/', 'search: words in event, task, machine; FIELD=TEXT; pid=N'],
	['N, Shift+N', 'next and previous match'],
	['T', 'light or dark'],
	['Esc', 'give up: search, window, choice'],
	['?', 'this help'],
];

export class Input {
	private readonly tip = get('tip');
	private drag: { x: number; y: number; t: number; mode: 'pan' | 'window' | 'zoom'; moved: boolean; t0: number; t1: number; scroll: number; before: [number, number] | undefined } | undefined;
	private mouse = -1;

	constructor(private readonly state: State, private readonly lanes: Lanes, private readonly details: Details,
		private readonly search: Search, private readonly actions: Actions) {
		const c = lanes.canvas;
		c.addEventListener('pointerdown', e => this.down(e));
		c.addEventListener('pointermove', e => this.move(e));
		c.addEventListener('pointerup', e => this.up(e));
		c.addEventListener('pointercancel', () => { this.drag = undefined; });
		c.addEventListener('pointerleave', () => this.leave());
		c.addEventListener('dblclick', () => this.frame());
		c.addEventListener('wheel', e => this.wheel(e), { passive: false });
		document.addEventListener('keydown', e => this.key(e));
		get('help').querySelector('table')!.append(...help.map(([k, what]) => {
			const tr = make('tr');
			tr.append(make('th', k), make('td', what));
			return tr;
		}));
	}

	private down(e: PointerEvent): void {
		if (e.button > 1)
			return;
		this.lanes.canvas.focus({ preventScroll: true });
		const hit = this.lanes.hit(e.offsetX, e.offsetY);
		if (hit.zone === 'group') {
			const g = this.state.tracks.groups[hit.row!.group]!;
			g.open = !g.open;
			this.state.changed('rows');
			return;
		}
		this.lanes.canvas.setPointerCapture(e.pointerId);
		const measure = e.shiftKey || hit.zone === 'ruler' || this.actions.isMeasuring();
		this.drag = {
			x: e.offsetX, y: e.offsetY, t: hit.t, mode: e.ctrlKey || e.metaKey ? 'zoom' : measure ? 'window' : 'pan', moved: false,
			t0: this.state.t0, t1: this.state.t1, scroll: this.lanes.scroll, before: this.state.window,
		};
	}

	private move(e: PointerEvent): void {
		const d = this.drag;
		if (!d) {
			this.hover(e);
			return;
		}
		const dx = e.offsetX - d.x, dy = e.offsetY - d.y;
		if (!d.moved && Math.abs(dx) < 4 && Math.abs(dy) < 4)
			return;
		d.moved = true;
		this.hideTip();
		if (d.mode === 'pan') {
			const shift = -dx / this.lanes.plotWidth * (d.t1 - d.t0);
			this.lanes.scroll = d.scroll;
			this.lanes.scrollBy(-dy);
			this.state.show(d.t0 + shift, d.t1 + shift);
		} else {
			this.state.setWindow([d.t, this.lanes.timeAt(Math.max(GUTTER, e.offsetX))]);
		}
		this.lanes.hoverX = d.mode === 'pan' ? -1 : e.offsetX;
	}

	private up(e: PointerEvent): void {
		const d = this.drag;
		this.drag = undefined;
		if (!d)
			return;
		if (!d.moved) {
			const hit = this.lanes.hit(e.offsetX, e.offsetY);
			if (hit.zone === 'lanes')
				this.state.choose(hit.pick);
			else if (hit.zone === 'ruler')
				this.state.setWindow(undefined);
			return;
		}
		if (d.mode === 'zoom' && this.state.window) {
			const w = this.state.window;
			this.state.setWindow(d.before);
			this.state.glide(...w);
		}
	}

	private leave(): void {
		this.lanes.hoverX = this.mouse = -1;
		this.hideTip();
		this.lanes.ask();
	}

	private hideTip(): void {
		this.tip.hidden = true;
	}

	private hover(e: PointerEvent): void {
		const hit = this.lanes.hit(e.offsetX, e.offsetY);
		this.mouse = e.offsetX >= GUTTER ? hit.t : -1;
		this.lanes.hoverX = e.offsetX;
		this.lanes.canvas.style.cursor = hit.zone === 'group' || hit.pick ? 'pointer'
			: hit.zone === 'ruler' || this.actions.isMeasuring() ? 'crosshair' : 'default';
		this.lanes.ask();
		this.showTip(hit, e.offsetX, e.offsetY);
	}

	private showTip(hit: Hit, x: number, y: number): void {
		const p: Pick | undefined = hit.pick;
		if (!p) {
			this.hideTip();
			return;
		}
		const { name, lines } = this.details.short(p);
		this.tip.replaceChildren(make('b', visible(name)), ...lines.map(l => make('div', visible(l))));
		this.tip.hidden = false;
		const box = this.lanes.canvas.getBoundingClientRect();
		const w = this.tip.offsetWidth, h = this.tip.offsetHeight;
		this.tip.style.left = `${x + 16 + w < box.width ? x + 16 : Math.max(4, x - w - 12)}px`;
		this.tip.style.top = `${y + 18 + h < box.height ? y + 18 : Math.max(4, y - h - 10)}px`;
	}

	private wheel(e: WheelEvent): void {
		e.preventDefault();
		const line = e.deltaMode === 1 ? 16 : 1;
		const dx = e.deltaX * line, dy = e.deltaY * line;
		if (e.shiftKey || e.offsetX < GUTTER) {
			this.lanes.scrollBy(dy || dx);
			return;
		}
		const { state, lanes } = this;
		if (Math.abs(dx) > Math.abs(dy)) {
			const shift = dx / lanes.plotWidth * (state.t1 - state.t0);
			state.show(state.t0 + shift, state.t1 + shift);
			return;
		}
		const t = lanes.timeAt(e.offsetX), factor = Math.exp(Math.max(-240, Math.min(240, dy)) * 0.0022);
		state.show(t - (t - state.t0) * factor, t + (state.t1 - t) * factor);
	}

	/** Zooms to what is chosen, or to the window. */
	private frame(): void {
		const { state } = this;
		if (state.pick) {
			const [from, to] = state.span(state.pick);
			const room = to > from ? (to - from) * 0.2 : (state.t1 - state.t0) / 8;
			state.glide(from - room, to + room);
		} else if (state.window) {
			state.glide(...state.window);
		}
	}

	/** The next event of the chosen one's row, or the next slice. */
	private step(by: 1 | -1): void {
		const { state } = this, p = state.pick;
		if (!p) {
			state.pan(by * 0.15);
			return;
		}
		if (p.type === 'slice') {
			const i = p.i + by;
			if (i >= 0 && i < p.track.slices!.n)
				state.choose({ ...p, i }, true);
			return;
		}
		if (p.type === 'exit') {
			const v = state.rec.exits.vcpu;
			for (let i = p.i + by; i >= 0 && i < v.length; i += by)
				if (v[i] === v[p.i]) {
					state.choose({ type: 'exit', i }, true);
					return;
				}
			return;
		}
		const list = state.track(p)?.events;
		if (!list)
			return;
		let lo = 0, hi = list.length;
		while (lo < hi) {
			const mid = (lo + hi) >> 1;
			if (list[mid]! < p.i)
				lo = mid + 1;
			else
				hi = mid;
		}
		const i = list[lo + by];
		if (i !== undefined)
			state.choose({ type: 'event', i }, true);
	}

	private escape(): void {
		const { state, search, actions } = this;
		if (actions.isMeasuring())
			actions.measure();
		else if (state.window)
			state.setWindow(undefined);
		else if (state.pick)
			state.choose(undefined);
		else if (search.text)
			search.set('');
	}

	private key(e: KeyboardEvent): void {
		const target = e.target as HTMLElement;
		if (e.ctrlKey || e.metaKey || e.altKey || get<HTMLDialogElement>('help').open)
			return;
		if (/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && !(target as HTMLInputElement).matches('[type=checkbox]')) {
			if (e.key === 'Escape')
				target.blur();
			return;
		}
		const { state, lanes } = this, far = e.shiftKey ? 3 : 1, at = this.mouse >= 0 ? this.mouse : undefined;
		const keys: Record<string, () => void> = {
			w: () => state.zoom(0.7 ** far, at), s: () => state.zoom(1 / 0.7 ** far, at),
			'+': () => state.zoom(0.7), '-': () => state.zoom(1 / 0.7),
			a: () => state.pan(-0.15 * far), d: () => state.pan(0.15 * far),
			arrowleft: () => this.step(-1), arrowright: () => this.step(1),
			arrowup: () => lanes.scrollBy(-40), arrowdown: () => lanes.scrollBy(40),
			pageup: () => lanes.scrollBy(-300), pagedown: () => lanes.scrollBy(300),
			home: () => state.pan(-1e9), end: () => state.pan(1e9),
			'0': () => state.glide(...state.whole()), f: () => this.frame(),
			m: () => this.actions.measure(), t: () => this.actions.theme(),
			'/': () => this.search.focus(), n: () => this.search.go(e.shiftKey ? -1 : 1),
			'?': () => get<HTMLDialogElement>('help').showModal(), escape: () => this.escape(),
		};
		const fn = keys[e.key.toLowerCase()];
		if (!fn || (target.tagName === 'SELECT'))
			return;
		e.preventDefault();
		fn();
	}
}
