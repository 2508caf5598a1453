// SPDX-License-Identifier: GPL-2.0-or-later
/* FILE.index: a header, then per lane its numbers, its places and its names. Native integers: it is
 * made anew where it does not fit. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "timeline/seek.h"

#define LANES_MAX  16384u
#define PLACES_MAX (1u << 20)
#define NAMES_MAX  (1u << 18)

struct head {
	char magic[8];
	uint32_t version, n_lanes;
	uint64_t size, ino; /* of the file that it is the index of */
	int64_t mtime_s, mtime_ns;
};

struct lane_head {
	uint64_t n_places, n_names;
};

/* Of the file that belongs to the index at path. */
static int make_head(const char *path, size_t n_lanes, struct head *ret)
{
	_cleanup_free_ char *file = strndup(path, strlen(path) - strlen(".index"));
	struct stat st;

	if (!file)
		return -ENOMEM;
	if (stat(file, &st))
		return -errno;
	*ret = (struct head){.magic = "onetsc-i",
			     .version = 1,
			     .n_lanes = (uint32_t)n_lanes,
			     .size = (uint64_t)st.st_size,
			     .ino = st.st_ino,
			     .mtime_s = st.st_mtim.tv_sec,
			     .mtime_ns = st.st_mtim.tv_nsec};
	return 0;
}

/* n of them of that size, into an array of its own. -ENOENT: they are not all there. */
static int load_array(int fd, uint64_t n, uint64_t max, size_t size, void **ret)
{
	if (n > max)
		return -ENOENT;
	if (!n)
		return 0;
	*ret = calloc(n, size);
	if (!*ret)
		return -ENOMEM;
	return fd_read_all(fd, *ret, n * size) ? -ENOENT : 0;
}

static int load_lane(int fd, struct seek_lane *l)
{
	struct lane_head h;
	int r = fd_read_all(fd, &h, sizeof(h)) ? -ENOENT : 0;

	if (!r)
		r = load_array(fd, h.n_places, PLACES_MAX, sizeof(*l->places.v),
			       (void **)&l->places.v);
	if (!r)
		r = load_array(fd, h.n_names, NAMES_MAX, sizeof(*l->names.v), (void **)&l->names.v);
	if (r)
		return r;
	l->places.n = l->places.size = h.n_places;
	l->names.n = l->names.size = h.n_names;
	for (size_t i = 0; i < l->names.n; i++)
		l->names.v[i].name[sizeof(l->names.v[i].name) - 1] = 0;
	return 0;
}

int seek_load(const char *path, size_t n_lanes, struct seek **ret)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct head want, head;
	struct seek *k;
	int r;

	if (fd < 0 || make_head(path, n_lanes, &want) || fd_read_all(fd, &head, sizeof(head)) ||
	    memcmp(&head, &want, sizeof(head)) || n_lanes > LANES_MAX)
		return -ENOENT;
	k = calloc(1, sizeof(*k));
	if (k)
		k->lanes = calloc(n_lanes + 1, sizeof(*k->lanes));
	r = k && k->lanes ? 0 : -ENOMEM;
	if (!r)
		k->n = n_lanes;
	for (size_t i = 0; i < n_lanes && !r; i++)
		r = load_lane(fd, &k->lanes[i]);
	if (r)
		seek_free(k);
	else
		*ret = k;
	return r;
}

static int save_all(int fd, const struct head *head, const struct seek *k)
{
	int r = fd_write_all(fd, head, sizeof(*head));

	for (size_t i = 0; i < k->n && !r; i++) {
		const struct seek_lane *l = &k->lanes[i];
		struct lane_head h = {l->places.n, l->names.n};

		r = fd_write_all(fd, &h, sizeof(h));
		if (!r && l->places.n)
			r = fd_write_all(fd, l->places.v, l->places.n * sizeof(*l->places.v));
		if (!r && l->names.n)
			r = fd_write_all(fd, l->names.v, l->names.n * sizeof(*l->names.v));
	}
	return r;
}

int seek_save(const char *path, const struct seek *k)
{
	_cleanup_fd_ int fd = -1;
	struct head head;
	char temp[4200];
	int r = make_head(path, k->n, &head);

	if (r)
		return r;
	snprintf(temp, sizeof(temp), "%s.%ld", path, (long)getpid());
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = save_all(fd, &head, k);
	if (!r && rename(temp, path))
		r = -errno;
	if (r)
		unlink(temp);
	return r;
}
