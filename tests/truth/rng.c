// SPDX-License-Identifier: GPL-2.0-or-later
/* splitmix64: the same numbers on every machine. */
#include "truth.h"

uint64_t rnd(struct world *w)
{
	uint64_t z = (w->rng += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t rnd_below(struct world *w, uint64_t n)
{
	return n ? rnd(w) % n : 0;
}

bool rnd_one_in(struct world *w, unsigned n)
{
	return !rnd_below(w, n);
}
