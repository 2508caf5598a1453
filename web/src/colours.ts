// SPDX-License-Identifier: GPL-2.0-or-later
// Colours of the canvases. Those of states are told apart with every kind of colour vision (Okabe and
// Ito), and each has a pattern of its own besides.
import { BLOCKED, GUEST, HALTED, KVM, PREEMPTED, UNKNOWN, VMM, WAITING } from './data';

export type Pattern = 'plain' | 'up' | 'down' | 'dots' | 'rows' | 'thin' | 'cross' | 'columns';

export interface Theme {
	dark: boolean;
	back: string; row: string; head: string; line: string; text: string; dim: string; accent: string;
	select: string; grid: string; lost: string; match: string;
	/** 0xAABBGGRR, for pixels. */
	states: Uint32Array; stateText: string[];
	tasks: Uint32Array; idle: number; mix: number; thread: number; tick: Uint32Array; lostPixel: number; backPixel: number; rowPixel: number;
	matchPixel: number; linePixel: number; headPixel: number; overview: number;
}

export const patterns: Pattern[] = [];
patterns[UNKNOWN] = 'cross';
patterns[GUEST] = 'plain';
patterns[KVM] = 'up';
patterns[VMM] = 'rows';
patterns[PREEMPTED] = 'down';
patterns[WAITING] = 'dots';
patterns[HALTED] = 'thin';
patterns[BLOCKED] = 'columns';

const states: string[] = [];
states[UNKNOWN] = '#8b929b';
states[GUEST] = '#009e73';
states[KVM] = '#e69f00';
states[VMM] = '#cc79a7';
states[PREEMPTED] = '#d55e00';
states[WAITING] = '#f0e442';
states[HALTED] = '#9aa7b4';
states[BLOCKED] = '#0072b2';

/** Groups of event systems: their marks. */
export const tickClasses = ['sched', 'kvm', 'irq', 'syscalls', 'other'] as const;
export function tickClass(system: string): number {
	if (system === 'sched')
		return 0;
	if (system === 'kvm' || system === 'kvmmmu')
		return 1;
	if (system.startsWith('irq') || system === 'timer' || system === 'hyperv' || system === 'msr')
		return 2;
	return system.includes('syscalls') ? 3 : 4;
}

export function pixel(colour: string): number {
	const v = parseInt(colour.slice(1), 16);
	return (0xff000000 | (v & 255) << 16 | (v & 0xff00) | v >> 16) >>> 0;
}
const pixels = (colours: string[]) => Uint32Array.from(colours, pixel);

export function blend(a: number, b: number, part: number): number {
	const mix = (shift: number) => Math.round(((a >>> shift) & 255) * (1 - part) + ((b >>> shift) & 255) * part) << shift;
	return (0xff000000 | mix(16) | mix(8) | mix(0)) >>> 0;
}

const tasksLight = ['#4c78a8', '#7aa6c2', '#b279a2', '#59a14f', '#b6992d', '#499894', '#d37295', '#79706e', '#9d7660', '#5f7fbf', '#86a04b', '#8c6bb1'];
const tasksDark = ['#6f9bd1', '#8fc1de', '#c99bbd', '#7cc172', '#d1b54a', '#69b8b4', '#ea95b3', '#a39a98', '#bf9a83', '#8ba6e0', '#a8c26b', '#ae90d0'];

function theme(dark: boolean, c: Record<'back' | 'row' | 'head' | 'line' | 'text' | 'dim' | 'accent' | 'select' | 'grid' | 'lost' | 'match' | 'idle' | 'overview', string>, tick: string[]): Theme {
	return {
		dark, ...c, states: pixels(states),
		stateText: states.map((_, s) => (s === GUEST || s === BLOCKED || s === PREEMPTED ? '#ffffff' : '#16191d')),
		tasks: pixels(dark ? tasksDark : tasksLight), idle: pixel(c.idle), mix: pixel(c.back), thread: pixel(dark ? '#7d9cc0' : '#5b7fa8'),
		tick: pixels(tick), lostPixel: pixel(c.lost), backPixel: pixel(c.back), rowPixel: pixel(c.row),
		matchPixel: pixel(c.match), linePixel: pixel(c.line), headPixel: pixel(c.head), overview: pixel(c.overview),
	};
}

export const light = theme(false, {
	back: '#ffffff', row: '#f7f8fa', head: '#eceff3', line: '#d5dae1', text: '#1b2129', dim: '#5a6572', accent: '#0b5cad',
	select: '#0b5cad', grid: '#e6e9ee', lost: '#c1121f', match: '#b5008f', idle: '#dfe4ea', overview: '#6b8bb0',
}, ['#3d5a80', '#a36a00', '#8a2f6b', '#2f6b4f', '#6a737d']);
export const dark = theme(true, {
	back: '#14171b', row: '#191d22', head: '#21262d', line: '#343b45', text: '#e4e8ed', dim: '#98a3b0', accent: '#6cb2ff',
	select: '#8cc4ff', grid: '#232930', lost: '#ff5d62', match: '#ff7ae0', idle: '#2b323a', overview: '#5f86b3',
}, ['#8fb0dd', '#f0b54a', '#dd8fc2', '#7cc9a4', '#9aa5b1']);

export const css = (p: number) => `rgb(${p & 255} ${(p >>> 8) & 255} ${(p >>> 16) & 255})`;

export function taskColour(t: Theme, name: string): number {
	let h = 2166136261;
	for (let i = 0; i < name.length; i++)
		h = Math.imul(h ^ name.charCodeAt(i), 16777619);
	return t.tasks[(h >>> 8) % t.tasks.length]!;
}
