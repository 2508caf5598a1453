// SPDX-License-Identifier: GPL-2.0-or-later
/* Compiled texts equal libtraceevent's, byte by byte, for every event of the captures in the tree and
 * of those that ONETSC_CAPTURES names (trace.dat files, blanks between them). */
#include <ctype.h>
#include <event-parse.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fd.h"
#include "sink/eventtext.h"
#include "source/symbols.h"
#include "test.h"
#include "timeline/timeline.h"

struct differ {
	struct eventtext *texts;
	struct eventtext_counts counts;
	uint64_t events, different;
};

/* Whatever part of a record there is: nothing is read behind it. */
static void cut_records(struct eventtext *texts, const struct event *ev)
{
	uint32_t from = ev->kind->min_bytes, step = (ev->size - from) / 7 + 1;

	for (uint32_t n = from; n < ev->size; n += step) {
		_cleanup_free_ void *copy = malloc(n);
		struct event cut = *ev;
		size_t n_text;

		assert_non_null(copy);
		cut.data = memcpy(copy, ev->data, n);
		cut.size = n;
		assert_non_null(eventtext_get(texts, &cut, &n_text));
	}
}

static int compare_batch(void *state, const struct event *ev, size_t n)
{
	struct differ *d = state;

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *ours = NULL;
		const char *p, *want;
		size_t n_ours, n_want;

		if (ev[i].type != EVENT_RECORD ||
		    !eventtext_is_told(d->texts, &ev[i])) /* tep has only its fields */
			continue;
		if (d->events++ % 97 == 0)
			cut_records(d->texts, &ev[i]);
		p = eventtext_get(d->texts, &ev[i], &n_ours);
		ours = strndup(p, n_ours);
		assert_non_null(ours);
		want = eventtext_by_tep(d->texts, &ev[i], &n_want);
		if (!strcmp(ev[i].kind->name, "function")) /* its indentation */
			for (; n_want && *want == ' '; want++)
				n_want--;
		if (n_ours == n_want && !memcmp(ours, want, n_ours))
			continue;
		if (d->different++ < 10)
			print_message("# %s:%s\n#  got \"%s\"\n# want \"%.*s\"\n",
				      ev[i].kind->system, ev[i].kind->name, ours, (int)n_want,
				      want);
	}
	return 0;
}

static enum source_field_type type_of(const struct tep_format_field *f)
{
	bool text = f->flags & TEP_FIELD_IS_STRING;

	if (f->flags & TEP_FIELD_IS_RELATIVE)
		return text ? FIELD_REL_STRING : FIELD_REL_BYTES;
	if (f->flags & TEP_FIELD_IS_DYNAMIC)
		return text ? FIELD_DYN_STRING : FIELD_DYN_BYTES;
	if (f->flags & TEP_FIELD_IS_ARRAY)
		return text ? FIELD_STRING : FIELD_BYTES;
	if (f->size != 1 && f->size != 2 && f->size != 4 && f->size != 8)
		return FIELD_BYTES;
	return f->flags & TEP_FIELD_IS_SIGNED ? FIELD_INT : FIELD_UINT;
}

/* Returns how many fields there are. */
static size_t compare_fields(const struct source_field *ours, const struct tep_format_field *f,
			     bool is_common)
{
	size_t n = 0;

	for (; f; f = f->next, n++) {
		assert_string_equal(ours[n].name, f->name);
		assert_int_equal(ours[n].offset, f->offset);
		assert_int_equal(ours[n].size, f->size);
		assert_int_equal(ours[n].type, type_of(f));
		assert_int_equal(ours[n].is_pointer, !!(f->flags & TEP_FIELD_IS_POINTER));
		assert_int_equal(ours[n].is_common, is_common);
	}
	return n;
}

/* The fields as we read them, as libtraceevent does. */
static size_t compare_kinds(const struct source *s)
{
	size_t n = 0;

	for (size_t i = 0; i < source_facts(s)->n_kinds; i++) {
		const struct source_kind *k = source_facts(s)->kinds[i];
		const struct tep_event *e = source_format(s, k).event;
		size_t common;

		assert_int_equal(k->index, i);
		if (!e) {
			assert_string_equal(k->system, "?");
			continue;
		}
		assert_string_equal(k->name, e->name);
		assert_string_equal(k->system, e->system);
		assert_int_equal(k->id, e->id);
		common = compare_fields(k->fields, e->format.common_fields, true);
		assert_int_equal(compare_fields(k->fields + common, e->format.fields, false) +
					 common,
				 k->n_fields);
		n++;
	}
	return n;
}

static void compare_file(const char *path, struct differ *sum)
{
	static const struct consumer consumer = {.name = "differ", .batch = compare_batch};
	_cleanup_input_ struct input *in = NULL;
	_cleanup_timeline_ struct timeline *t = NULL;
	struct differ d = {0};
	size_t n;

	assert_int_equal(input_open(&path, 1, &in), 0);
	n = compare_kinds(in->machines.v[0].source);
	print_message("# %s: %zu formats\n", path, n);
	assert_true(n > 0);
	assert_int_equal(timeline_new(in, NULL, &t), 0);
	assert_int_equal(eventtext_new(in, &d.texts), 0);
	assert_int_equal(timeline_run(t, &(struct timeline_use){&consumer, &d}, 1), 0);
	eventtext_count(d.texts, &d.counts);
	eventtext_free(d.texts);
	print_message("# %s: %llu events, %llu by libtraceevent, %llu raw, %llu different\n", path,
		      (unsigned long long)d.events, (unsigned long long)d.counts.by_tep,
		      (unsigned long long)d.counts.raw, (unsigned long long)d.different);
	assert_int_equal(d.different, 0);
	sum->events += d.events;
	sum->counts.by_tep += d.counts.by_tep;
}

static char *tree_file(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/tests/golden/%s", getenv("ONETSC_SRC"), name) > 0);
	return path;
}

static void captures_in_the_tree(void **state)
{
	static const char *const names[] = {"offset-step/host.dat", "offset-step/guest.dat"};
	struct differ sum = {0};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = tree_file(names[i]);

		compare_file(path, &sum);
	}
	assert_true(sum.events > 90000);
	assert_int_equal(sum.counts.by_tep, 0);
}

/* A file of the tree, unpacked; with change a word of it becomes another one of its length. */
static void unpack(const char *name, char *path, const char *word, const char *change)
{
	_cleanup_free_ char *packed = tree_file(name), *all = malloc(32u << 20);
	_cleanup_fd_ int fd = mkstemp(path);
	gzFile z = gzopen(packed, "rb");
	char *at;
	int n;

	assert_true(fd >= 0 && z && all);
	n = gzread(z, all, 32u << 20);
	gzclose(z);
	assert_true(n > 0 && n < 32 << 20);
	at = change ? memmem(all, (size_t)n, word, strlen(word)) : NULL;
	assert_true(at || !change);
	if (change)
		memcpy(at, change, strlen(change));
	assert_int_equal(fd_write_all(fd, all, (size_t)n), 0);
}

static void capture_of_v6(void **state)
{
	char path[] = "/tmp/onetsc-eventtext.XXXXXX";
	struct differ sum = {0};

	unpack("tracecmd/v6-host.dat.gz", path, NULL, NULL);
	compare_file(path, &sum);
	unlink(path);
	assert_true(sum.events > 30000);
}

static int expect_fields(void *state, const struct event *ev, size_t n)
{
	struct differ *d = state;

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *text = NULL;
		const char *p;
		size_t len;

		if (ev[i].type != EVENT_RECORD || strcmp(ev[i].kind->name, "kvm-msr"))
			continue;
		d->events++;
		p = eventtext_get(d->texts, &ev[i], &len);
		text = strndup(p, len);
		assert_non_null(text);
		assert_non_null(strstr(text, "ecx="));
		assert_false(eventtext_is_told(d->texts, &ev[i]));
	}
	return 0;
}

/* Its fields are known; libtraceevent 1.7.1 does not take the name. */
static void refused_format(void **state)
{
	static const struct consumer consumer = {.name = "fields", .batch = expect_fields};
	char path[] = "/tmp/onetsc-eventtext.XXXXXX";
	const char *const paths[] = {path};
	_cleanup_input_ struct input *in = NULL;
	_cleanup_timeline_ struct timeline *t = NULL;
	struct differ d = {0};

	unpack("tracecmd/v6-host.dat.gz", path, "name: kvm_msr\n", "name: kvm-msr\n");
	assert_int_equal(input_open(paths, 1, &in), 0);
	unlink(path);
	assert_int_equal(timeline_new(in, NULL, &t), 0);
	assert_int_equal(eventtext_new(in, &d.texts), 0);
	assert_int_equal(timeline_run(t, &(struct timeline_use){&consumer, &d}, 1), 0);
	eventtext_count(d.texts, &d.counts);
	eventtext_free(d.texts);
	assert_true(d.events > 100);
	assert_int_equal(d.counts.raw, d.events);
}

static void captures_given(void **state)
{
	char *list = getenv("ONETSC_CAPTURES"), *copy, *save = NULL;
	struct differ sum = {0};

	copy = strdup(list);
	assert_non_null(copy);
	for (char *p = strtok_r(copy, " ", &save); p; p = strtok_r(NULL, " ", &save))
		compare_file(p, &sum);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captures_in_the_tree),
		cmocka_unit_test(capture_of_v6),
		cmocka_unit_test(refused_format),
	};
	const struct CMUnitTest given[] = {cmocka_unit_test(captures_given)};

	if (getenv("ONETSC_CAPTURES"))
		return cmocka_run_group_tests(given, NULL, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
