/* store/faultvfs.h - a disk for tests: files in memory under a storage layer of SQLite that can lose power, run full and
 * fail. What was written but not synced is, at a power cut, lost, kept, torn or reordered by sector, as the seed says;
 * what was synced stays. Several stores may be open on one disk, from several threads. Linked into tests only.
 *
 *   faultvfs_open -> store_open{.vfs = name} -> ... faultvfs_cut_at -> work until it fails -> close all -> faultvfs_restart -> store_open
 * ... */
#pragma once
#include "base/err.h"
#include <stdint.h>

struct faultvfs;

/* name is what store_options.vfs takes; it must not be in use by another disk of the process. */
int faultvfs_open(const char *name, uint64_t seed, struct faultvfs **out, struct err *err);
void faultvfs_close(struct faultvfs *v); /* after all stores on it are closed */
/* What lies on `from`, where no store is open, lies on `to` as well, synced: a disk that is made once and begun with often. */
void faultvfs_copy(struct faultvfs *to, struct faultvfs *from);

/* Power fails at the n-th change (write, truncate, sync, delete) from now, 1 = the next; that change is not synced. 0 = right now.
 * From then on every call fails, until faultvfs_restart(). What was opened before a cut never works again. */
void faultvfs_cut_at(struct faultvfs *v, uint64_t n);
bool faultvfs_is_cut(struct faultvfs *v);
void faultvfs_restart(struct faultvfs *v);

enum faultvfs_kind {
    FAULTVFS_FULL /* writes find no space */,
    FAULTVFS_WRITE,
    FAULTVFS_SYNC,
    FAULTVFS_READ /* I/O errors */,
    FAULTVFS_KINDS
};
/* The n-th call of that kind from now fails (1 = the next) and `times - 1` after it; times 0 takes the fault away. */
void faultvfs_fail(struct faultvfs *v, enum faultvfs_kind kind, uint64_t n, uint64_t times);

void faultvfs_lie(struct faultvfs *v, bool lie); /* sync says yes and does nothing: a disk that nothing can protect from */

struct faultvfs_counts {
    uint64_t changes, writes, syncs, faults, cuts;
};
struct faultvfs_counts faultvfs_counts(struct faultvfs *v);

int64_t faultvfs_size(struct faultvfs *v, const char *path);                       /* -1 = there is no such file */
void faultvfs_flip(struct faultvfs *v, const char *path, int64_t offset, int bit); /* damages one bit, on disk */
