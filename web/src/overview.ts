// SPDX-License-Identifier: GPL-2.0-or-later
// The strip above the timeline: how many events there are when, what is lost and found, and the view.
import { Pixels } from './pixels';
import { get } from './dom';
import { State } from './state';

const HEIGHT = 34;

export class Overview {
	private readonly canvas = get<HTMLCanvasElement>('overview');
	private readonly ctx = this.canvas.getContext('2d', { alpha: false })!;
	private readonly pixels = new Pixels();
	private counts = new Uint32Array(0);
	private asked = false;

	constructor(private readonly state: State) {
		let grip: number | undefined;
		const at = (e: PointerEvent) => (e.clientX - this.canvas.getBoundingClientRect().left) / this.canvas.clientWidth * state.rec.span;
		this.canvas.addEventListener('pointerdown', e => {
			this.canvas.setPointerCapture(e.pointerId);
			const t = at(e);
			grip = t >= state.t0 && t <= state.t1 ? t - (state.t0 + state.t1) / 2 : 0;
			this.move(t - grip);
		});
		this.canvas.addEventListener('pointermove', e => {
			if (grip !== undefined)
				this.move(at(e) - grip);
		});
		for (const end of ['pointerup', 'pointercancel'])
			this.canvas.addEventListener(end, () => { grip = undefined; });
		this.canvas.addEventListener('wheel', e => {
			e.preventDefault();
			state.zoom(e.deltaY > 0 ? 1.25 : 0.8);
		}, { passive: false });
	}

	private move(middle: number): void {
		const half = (this.state.t1 - this.state.t0) / 2;
		this.state.show(middle - half, middle + half);
	}

	ask(): void {
		if (this.asked)
			return;
		this.asked = true;
		requestAnimationFrame(() => {
			this.asked = false;
			this.draw();
		});
	}

	private count(w: number): void {
		const { rec } = this.state;
		this.counts = new Uint32Array(w);
		for (let i = 0; i < rec.n; i++)
			this.counts[Math.min(w - 1, Math.floor(rec.time[i]! / rec.span * w))]++;
	}

	draw(): void {
		const { canvas, ctx, pixels, state } = this, { rec, theme } = state;
		const scale = window.devicePixelRatio || 1;
		const width = canvas.clientWidth, w = Math.round(width * scale), h = Math.round(HEIGHT * scale);
		if (w < 2)
			return;
		if (canvas.width !== w || canvas.height !== h) {
			canvas.width = w;
			canvas.height = h;
		}
		if (this.counts.length !== w)
			this.count(w);
		pixels.resize(ctx, w, h);
		pixels.fill(theme.backPixel);
		const most = this.counts.reduce((a, b) => Math.max(a, b), 1);
		for (let x = 0; x < w; x++) {
			const n = this.counts[x]!;
			if (n)
				pixels.rect(x, h - Math.max(1, Math.round(Math.sqrt(n / most) * (h - 4 * scale))), x + 1, h, theme.overview);
		}
		for (const l of rec.lost) {
			const x = Math.floor(l.from / rec.span * w);
			pixels.rect(x, 0, Math.max(x + Math.ceil(scale), Math.ceil(l.to / rec.span * w)), Math.round(3 * scale), theme.lostPixel);
		}
		for (const i of state.matches)
			pixels.rect(Math.floor(rec.time[i]! / rec.span * w), 0, Math.floor(rec.time[i]! / rec.span * w) + Math.ceil(scale), Math.round(8 * scale), theme.matchPixel);
		pixels.show(ctx);
		ctx.setTransform(scale, 0, 0, scale, 0, 0);
		this.drawView(width);
	}

	private drawView(width: number): void {
		const { ctx, state } = this, { theme, rec } = state;
		const x = (t: number) => t / rec.span * width;
		if (state.window) {
			ctx.globalAlpha = 0.25;
			ctx.fillStyle = theme.accent;
			ctx.fillRect(x(state.window[0]), 0, Math.max(1, x(state.window[1]) - x(state.window[0])), HEIGHT);
			ctx.globalAlpha = 1;
		}
		const a = Math.max(0, x(state.t0)), b = Math.min(width, Math.max(x(state.t1), x(state.t0) + 3));
		ctx.globalAlpha = theme.dark ? 0.55 : 0.65;
		ctx.fillStyle = theme.head;
		ctx.fillRect(0, 0, a, HEIGHT);
		ctx.fillRect(b, 0, width - b, HEIGHT);
		ctx.globalAlpha = 1;
		if (a > 1 || b < width - 1) {
			ctx.strokeStyle = theme.accent;
			ctx.lineWidth = 1.5;
			ctx.strokeRect(a + 0.75, 0.75, Math.max(2, b - a - 1.5), HEIGHT - 1.5);
		}
	}
}
