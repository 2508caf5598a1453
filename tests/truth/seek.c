// SPDX-License-Identifier: GPL-2.0-or-later
/* A window of a session, read by its index, is what reading all of it gives: every event, every gap,
 * every name. test-seek FIRST LAST */
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <utime.h>

#include "files.h"
#include "timeline/timeline.h"

struct sum {
	uint64_t hash, events, gaps, doubtful;
};

static void mix(struct sum *s, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ ((const uint8_t *)p)[i]) * 0x100000001b3;
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct sum *s = state;

	for (size_t i = 0; i < n; i++) {
		uint64_t v[] = {ev[i].ticks, ev[i].width, ev[i].machine,  ev[i].cpu,
				ev[i].type,  ev[i].lane,  ev[i].raw_ticks};

		mix(s, v, sizeof(v));
		s->doubtful += ev[i].doubtful;
		if (ev[i].type == EVENT_LOST) {
			s->gaps++;
			mix(s, &ev[i].end_ticks, 8);
			mix(s, &ev[i].lost, 8);
			continue;
		}
		s->events++;
		mix(s, ev[i].data, ev[i].size);
		mix(s, ev[i].kind->name, strlen(ev[i].kind->name));
		if (ev[i].comm)
			mix(s, ev[i].comm, strlen(ev[i].comm));
	}
	return 0;
}

static const struct consumer consumer = {.name = "sum", .batch = batch, .wants_tasks = true};

/* Opened anew each time: names that were learned would stay. */
static int run(const char *dir, bool by_index, const struct timeline_filter *f, struct sum *ret)
{
	_cleanup_input_ struct input *in = NULL;
	_cleanup_timeline_ struct timeline *t = NULL;
	int r = input_open(&dir, 1, &in);

	*ret = (struct sum){0};
	if (r)
		return r;
	in->is_session = by_index;
	r = timeline_new(in, f, &t);
	return r ? r : timeline_run(t, &(struct timeline_use){&consumer, ret}, 1);
}

static bool same(const char *dir, const struct world *w, const struct timeline_filter *f)
{
	struct sum want, got;

	if (run(dir, false, f, &want) || run(dir, true, f, &got)) {
		printf("# cannot be read\n");
		return false;
	}
	if (!memcmp(&want, &got, sizeof(want)))
		return true;
	printf("# seed %" PRIu64 ", %" PRIu64 " to %" PRIu64 ": %" PRIu64 " events, %" PRIu64
	       " gaps, %" PRIu64 " doubtful; by the index %" PRIu64 ", %" PRIu64 ", %" PRIu64 "\n",
	       w->seed, f->from_ticks, f->to_ticks, want.events, want.gaps, want.doubtful,
	       got.events, got.gaps, got.doubtful);
	return false;
}

static bool windows(const char *dir, struct world *w)
{
	static const char *const events[] = {"sched_*"};
	uint64_t span = w->end - w->begin;
	bool ok = true;

	for (int i = 0; i < 12 && ok; i++) {
		struct timeline_filter f = {.from_ticks = w->begin + rnd_below(w, span)};

		f.to_ticks = i % 3 ? f.from_ticks + rnd_below(w, span / 50) : 0;
		if (i % 4 == 3) {
			f.events = events;
			f.n_events = 1;
		}
		ok = same(dir, w, &f);
	}
	return ok;
}

/* Of another time or of rubbish: made anew, or reading says so; never a crash. */
static bool wrong_index(const char *dir, struct world *w)
{
	struct timeline_filter f = {.from_ticks = w->begin + (w->end - w->begin) / 2};
	char path[4300];
	struct sum sum;
	struct stat st;
	FILE *file;

	snprintf(path, sizeof(path), "%s/host.dat", dir);
	if (utime(path, NULL) || stat(path, &st) || !same(dir, w, &f))
		return false;
	if (st.st_size < 200000) /* perhaps not worth an index */
		return true;
	snprintf(path, sizeof(path), "%s/host.dat.index", dir);
	if (stat(path, &st)) {
		printf("# no index was kept\n");
		return false;
	}
	if (truncate(path, st.st_size / 2) || !same(dir, w, &f))
		return false;
	for (int i = 0; i < 20; i++) {
		file = fopen(path, "r+");
		if (!file)
			return false;
		for (int k = 0; k < 30; k++) {
			fseek(file, (long)(48 + rnd_below(w, (uint64_t)st.st_size - 48)), SEEK_SET);
			fputc((int)rnd_below(w, 256), file);
		}
		fclose(file);
		if (run(dir, true, &f, &sum) && stat(path, &st))
			return false;
	}
	return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	char top[] = "/tmp/seek-XXXXXX", dir[64];
	int first = argc > 1 ? atoi(argv[1]) : 1, last = argc > 2 ? atoi(argv[2]) : first,
	    failed = 0;

	if (!mkdtemp(top))
		return 1;
	printf("1..%d\n", 2 * (last - first + 1));
	for (int seed = first; seed <= last; seed++) {
		struct world w = {.seed = (uint64_t)seed, .session = true, .events = 500000};
		bool ok, ok_wrong;

		w.features = seed % 2 ? features_without((const char *const[]){"steps"}, 1) : F_ALL;
		snprintf(dir, sizeof(dir), "%s/w%d.onetsc", top, seed);
		if (world_make(&w) || world_write(&w, dir)) {
			printf("Bail out! world %d cannot be written\n", seed);
			return 1;
		}
		ok = windows(dir, &w);
		printf("%s %d - world %d: windows\n", ok ? "ok" : "not ok", 2 * (seed - first) + 1,
		       seed);
		ok_wrong = wrong_index(dir, &w);
		printf("%s %d - world %d: wrong indexes\n", ok_wrong ? "ok" : "not ok",
		       2 * (seed - first) + 2, seed);
		failed |= !ok || !ok_wrong;
		world_free(&w);
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
	rmdir(top);
	return failed;
}
