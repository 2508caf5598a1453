// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/kinds.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define NO_CID (-1)

/* Value of option --name, given as "--name V", "--name=V" (or with one dash). NULL: not there.
 * *at is where to begin, and afterwards where to go on. */
static const char *option(char *const argv[], size_t *at, const char *name)
{
	size_t len = strlen(name);

	while (argv[*at]) {
		const char *a = argv[(*at)++];

		if (*a != '-')
			continue;
		a += a[1] == '-' ? 2 : 1;
		if (strncmp(a, name, len))
			continue;
		if (a[len] == '=')
			return a + len + 1;
		if (!a[len] && argv[*at])
			return argv[(*at)++];
	}
	return NULL;
}

/* Is the first part of the list "key=value"? */
static bool has_key(const char *list)
{
	for (; *list && *list != '='; list++)
		if (*list == ',' && *++list != ',')
			return false;
	return *list;
}

/* Copies the value of key in "a=1,key=VALUE,b"; an empty key means the first, keyless part. Commas
 * in a value are doubled. buf is left alone when there is none. */
static bool sub_option(const char *list, const char *key, char *buf, size_t n)
{
	size_t len = strlen(key), k = 0;
	const char *p = list;

	while (len && (strncmp(p, key, len) || p[len] != '=')) {
		p = strchr(p, ',');
		if (!p++)
			return false;
	}
	if (!len && has_key(list))
		return false;
	p += len ? len + 1 : 0;
	for (; *p && k + 1 < n; p++) {
		if (*p == ',' && *++p != ',')
			break;
		buf[k++] = *p;
	}
	if (k)
		buf[k] = 0;
	return k > 0;
}

static int number_after(const char *text, const char *key)
{
	const char *p = strstr(text, key);
	char digits[16];
	uint64_t v;

	if (!p)
		return NO_CID;
	p += strlen(key);
	snprintf(digits, sizeof(digits), "%.*s", (int)strspn(p, "0123456789"), p);
	return text_to_u64(digits, &v) || v > INT_MAX ? NO_CID : (int)v;
}

static bool copy_option(char *const argv[], const char *name, char *buf, size_t n)
{
	size_t at = 1;
	const char *v = argv[0] ? option(argv, &at, name) : NULL;

	if (!v || !*v)
		return false;
	snprintf(buf, n, "%s", v);
	return true;
}

static bool qemu_match(const char *exe)
{
	return !strncmp(exe, "qemu-system-", 12) || !strcmp(exe, "qemu-kvm") ||
	       !strcmp(exe, "kvm") || !strcmp(exe, "qemu");
}

/* -name web1,process=x or -name guest=web1,debug-threads=on; the last one counts. */
static bool qemu_name(char *const argv[], char *buf, size_t n)
{
	bool found = false;
	const char *v;
	size_t at = 1;

	while (argv[0] && (v = option(argv, &at, "name")))
		found |= sub_option(v, "guest", buf, n) || sub_option(v, "", buf, n);
	return found;
}

/* -device vhost-vsock-pci,guest-cid=3 or -device {"driver":...,"guest-cid":3} */
static int qemu_cid(char *const argv[])
{
	int cid = NO_CID;
	const char *v;
	size_t at = 1;

	while (cid < 0 && argv[0] && (v = option(argv, &at, "device"))) {
		cid = number_after(v, "guest-cid=");
		if (cid < 0)
			cid = number_after(v, "\"guest-cid\":");
	}
	return cid;
}

static uint64_t hz_of(const char *list)
{
	char text[32];
	uint64_t hz;

	if (!sub_option(list, "tsc-frequency", text, sizeof(text)) &&
	    !sub_option(list, "tsc-freq", text, sizeof(text)))
		return 0;
	return text_to_u64(text, &hz) ? 0 : hz;
}

static uint64_t qemu_khz(char *const argv[])
{
	uint64_t hz = 0, last;
	const char *v;
	size_t at = 1;

	while (argv[0] && (v = option(argv, &at, "cpu"))) {
		last = hz_of(v);
		hz = last ? last : hz;
	}
	return hz / 1000;
}

static bool firecracker_match(const char *exe)
{
	return !strncmp(exe, "firecracker", 11);
}

static bool firecracker_name(char *const argv[], char *buf, size_t n)
{
	return copy_option(argv, "id", buf, n);
}

static bool cloud_hypervisor_match(const char *exe)
{
	return !strncmp(exe, "cloud-hypervisor", 16) || !strcmp(exe, "cloud-hyperviso");
}

/* --vsock cid=3,socket=/path */
static int cloud_hypervisor_cid(char *const argv[])
{
	char text[16];
	uint64_t cid;
	size_t at = 1;
	const char *v = argv[0] ? option(argv, &at, "vsock") : NULL;

	if (!v || !sub_option(v, "cid", text, sizeof(text)) || text_to_u64(text, &cid) ||
	    cid > INT_MAX)
		return NO_CID;
	return (int)cid;
}

static bool crosvm_match(const char *exe)
{
	return !strncmp(exe, "crosvm", 6);
}

static bool name_option(char *const argv[], char *buf, size_t n)
{
	return copy_option(argv, "name", buf, n) || copy_option(argv, "n", buf, n);
}

/* --cid 3, or --vsock 3, or --vsock cid=3 */
static int plain_cid(char *const argv[])
{
	char text[32];
	uint64_t cid;

	if (!copy_option(argv, "cid", text, sizeof(text)) &&
	    !copy_option(argv, "vsock", text, sizeof(text)))
		return NO_CID;
	if (!text_to_u64(text, &cid))
		return cid > INT_MAX ? NO_CID : (int)cid;
	return cloud_hypervisor_cid(argv);
}

static bool kvmtool_match(const char *exe)
{
	return !strcmp(exe, "lkvm") || !strcmp(exe, "kvmtool") || !strcmp(exe, "lkvm-static") ||
	       !strcmp(exe, "vm");
}

static bool any_match(const char *exe)
{
	return true;
}

static const struct vmm_kind kinds[] = {
	{"qemu", qemu_match, qemu_name, qemu_cid, qemu_khz},
	{"firecracker", firecracker_match, firecracker_name, NULL, NULL},
	{"cloud-hypervisor", cloud_hypervisor_match, NULL, cloud_hypervisor_cid, NULL},
	{"crosvm", crosvm_match, name_option, plain_cid, NULL},
	{"kvmtool", kvmtool_match, name_option, plain_cid, NULL},
	{"unknown", any_match, NULL, NULL, NULL},
};

const struct vmm_kind *vmm_kind_find(const char *exe)
{
	const struct vmm_kind *k = kinds;
	const char *base = strrchr(exe, '/');

	while (!k->match(base ? base + 1 : exe))
		k++;
	return k;
}
