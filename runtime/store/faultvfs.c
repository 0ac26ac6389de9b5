#include "store/faultvfs.h"
#include "store/store_int.h"
#include "base/random.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { SECTOR = 512, SHM_LOCKS = SQLITE_SHM_NLOCK, NAME_MAX_BYTES = 200 };

struct bytes {
    unsigned char *data;
    int64_t len, cap;
};

struct change { /* not synced yet */
    int64_t offset, len;
    unsigned char *data; /* NULL: the file was cut to `offset` bytes */
};

struct file {
    char name[NAME_MAX_BYTES];
    struct bytes live, disk;
    struct change *changes;
    size_t nchanges, changes_cap;
    bool on_disk;    /* its name has been synced */
    bool deleted;    /* its name is gone, perhaps not durably */
    bool maybe_back; /* ... not durably */
    int refs;
    int shared, reserved, pending, exclusive; /* locks of the file */
    void **shm;
    int nshm;
    int shm_shared[SHM_LOCKS], shm_exclusive[SHM_LOCKS];
    struct file *next;
};

struct fault {
    uint64_t after, times;
};

struct faultvfs {
    sqlite3_vfs vfs;
    sqlite3_vfs *base; /* for time and sleep */
    char *name;
    pthread_mutex_t lock;
    struct random_seeded random;
    struct file *files;
    uint64_t epoch;     /* of the present power supply */
    uint64_t cut_after; /* 0 = not planned */
    bool cut, lie;
    struct fault faults[FAULTVFS_KINDS];
    struct faultvfs_counts counts;
};

struct handle {
    sqlite3_file base;
    struct faultvfs *v;
    struct file *file;
    uint64_t epoch;
    int level; /* of the file lock */
    unsigned shm_shared, shm_exclusive;
    bool delete_on_close;
};

/* --- bytes -------------------------------------------------------------------------------------------------------------- */

static void *must(void *p)
{
    if (!p)
        abort(); /* a test machine without memory */
    return p;
}

static void bytes_size(struct bytes *b, int64_t len)
{
    if (len > b->cap) {
        b->cap = len * 2;
        b->data = must(realloc(b->data, (size_t)b->cap));
    }
    if (len > b->len)
        memset(b->data + b->len, 0, (size_t)(len - b->len));
    b->len = len;
}

static void bytes_put(struct bytes *b, int64_t offset, const unsigned char *data, int64_t len)
{
    if (len == 0)
        return;
    if (offset + len > b->len)
        bytes_size(b, offset + len);
    memcpy(b->data + offset, data, (size_t)len);
}

static void bytes_copy(struct bytes *to, const struct bytes *from)
{
    bytes_size(to, from->len);
    if (from->len)
        memcpy(to->data, from->data, (size_t)from->len);
}

/* --- the disk ------------------------------------------------------------------------------------------------------------- */

static uint64_t roll(struct faultvfs *v, uint64_t n)
{
    return random_seeded_next(&v->random) % n;
}

static void remember(struct file *f, int64_t offset, const void *data, int64_t len)
{
    if (f->nchanges == f->changes_cap) {
        f->changes_cap = f->changes_cap ? f->changes_cap * 2 : 16;
        f->changes = must(realloc(f->changes, f->changes_cap * sizeof *f->changes));
    }
    struct change *c = &f->changes[f->nchanges++];
    *c = (struct change){ .offset = offset, .len = len };
    if (data) {
        c->data = must(malloc((size_t)len + 1));
        memcpy(c->data, data, (size_t)len);
    }
}

static void forget_changes(struct file *f)
{
    for (size_t i = 0; i < f->nchanges; i++)
        free(f->changes[i].data);
    f->nchanges = 0;
}

static void sync_file(struct faultvfs *v, struct file *f)
{
    /* Once this name is durable, an older file of the same name can't come back. */
    for (struct file *old = f->on_disk ? NULL : v->files; old; old = old->next) {
        if (old != f && strcmp(old->name, f->name) == 0)
            old->maybe_back = false;
    }
    for (size_t i = 0; i < f->nchanges; i++) {
        const struct change *c = &f->changes[i];
        if (c->data)
            bytes_put(&f->disk, c->offset, c->data, c->len);
        else
            bytes_size(&f->disk, c->offset);
    }
    forget_changes(f);
    f->on_disk = true;
}

/* One change, sector by sector: each arrives with the given chance, or, torn, only its first bytes. */
static void settle_write(struct faultvfs *v, struct file *f, const struct change *c, uint64_t percent, bool torn)
{
    for (int64_t at = 0; at < c->len;) {
        int64_t len = SECTOR - (c->offset + at) % SECTOR;
        if (len > c->len - at)
            len = c->len - at;
        if (roll(v, 100) < percent) {
            int64_t kept = torn && roll(v, 4) == 0 ? (int64_t)roll(v, (uint64_t)len) : len;
            bytes_put(&f->disk, c->offset + at, c->data + at, kept);
        }
        at += len;
    }
}

static void settle_file(struct faultvfs *v, struct file *f)
{
    static const uint64_t chances[] = { 0, 10, 50, 90, 100 };
    uint64_t percent = chances[roll(v, 5)];
    bool torn = roll(v, 2);
    /* Sometimes everything up to a point and nothing after it, as when the queue of a disk is cut short. */
    size_t upto = roll(v, 3) == 0 && f->nchanges ? roll(v, f->nchanges + 1) : f->nchanges;
    for (size_t i = 0; i < upto; i++) {
        const struct change *c = &f->changes[i];
        if (c->data)
            settle_write(v, f, c, percent, torn);
        else if (roll(v, 100) < percent)
            bytes_size(&f->disk, c->offset);
    }
    forget_changes(f);
}

static struct file *find_file(struct faultvfs *v, const char *name)
{
    for (struct file *f = v->files; f; f = f->next) {
        if (!f->deleted && strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

static void file_free(struct file *f)
{
    forget_changes(f);
    for (int i = 0; i < f->nshm; i++)
        free(f->shm[i]);
    free(f->shm);
    free(f->changes);
    free(f->live.data);
    free(f->disk.data);
    free(f);
}

static void drop_unused(struct faultvfs *v)
{
    for (struct file **p = &v->files; *p;) {
        struct file *f = *p;
        if (f->deleted && !f->maybe_back && f->refs == 0) {
            *p = f->next;
            file_free(f);
        } else {
            p = &f->next;
        }
    }
}

static void forget_memory(struct file *f)
{
    for (int i = 0; i < f->nshm; i++)
        free(f->shm[i]);
    free(f->shm);
    f->shm = NULL;
    f->nshm = 0;
    f->shared = f->reserved = f->pending = f->exclusive = 0;
    memset(f->shm_shared, 0, sizeof f->shm_shared);
    memset(f->shm_exclusive, 0, sizeof f->shm_exclusive);
}

static void power_off(struct faultvfs *v)
{
    v->cut = true;
    v->cut_after = 0;
    v->counts.cuts++;
    for (struct file *f = v->files; f; f = f->next) {
        settle_file(v, f);
        if (f->deleted && f->maybe_back && roll(v, 2) && !find_file(v, f->name))
            f->deleted = false;
        else if (!f->deleted && !f->on_disk && roll(v, 2))
            f->deleted = true;
        f->maybe_back = false;
    }
}

/* Counts a change; true when power fails at it. */
static bool change_cuts(struct faultvfs *v)
{
    v->counts.changes++;
    return v->cut_after && --v->cut_after == 0;
}

static bool fault_hits(struct faultvfs *v, enum faultvfs_kind kind)
{
    struct fault *f = &v->faults[kind];
    if (f->times == 0 || --f->after > 0)
        return false;
    f->after = 1;
    f->times--;
    v->counts.faults++;
    return true;
}

static bool dead(const struct handle *h)
{
    return h->v->cut || h->epoch != h->v->epoch;
}

/* --- a file, as SQLite sees it ------------------------------------------------------------------------------------------------ */

static int x_close(sqlite3_file *base)
{
    struct handle *h = (struct handle *)base;
    pthread_mutex_lock(&h->v->lock);
    h->file->refs--;
    if (h->delete_on_close)
        h->file->deleted = true;
    drop_unused(h->v);
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static int read_locked(struct handle *h, void *out, int n, int64_t offset)
{
    const struct bytes *b = &h->file->live;
    if (dead(h) || fault_hits(h->v, FAULTVFS_READ))
        return SQLITE_IOERR_READ;
    int64_t have = offset < b->len ? b->len - offset : 0;
    if (have > n)
        have = n;
    if (have)
        memcpy(out, b->data + offset, (size_t)have);
    if (have == n)
        return SQLITE_OK;
    memset((char *)out + have, 0, (size_t)(n - have));
    return SQLITE_IOERR_SHORT_READ;
}

static int x_read(sqlite3_file *base, void *out, int n, sqlite3_int64 offset)
{
    struct handle *h = (struct handle *)base;
    pthread_mutex_lock(&h->v->lock);
    int rc = read_locked(h, out, n, offset);
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static int write_locked(struct handle *h, const void *data, int n, int64_t offset)
{
    struct faultvfs *v = h->v;
    if (dead(h) || fault_hits(v, FAULTVFS_WRITE))
        return SQLITE_IOERR_WRITE;
    int64_t len = n;
    bool full = fault_hits(v, FAULTVFS_FULL);
    if (full)
        len = (int64_t)roll(v, (uint64_t)n); /* a full disk takes the beginning */
    v->counts.writes++;
    bytes_put(&h->file->live, offset, data, len);
    if (len)
        remember(h->file, offset, data, len);
    if (change_cuts(v)) {
        power_off(v);
        return SQLITE_IOERR_WRITE;
    }
    return full ? SQLITE_FULL : SQLITE_OK;
}

static int x_write(sqlite3_file *base, const void *data, int n, sqlite3_int64 offset)
{
    struct handle *h = (struct handle *)base;
    pthread_mutex_lock(&h->v->lock);
    int rc = write_locked(h, data, n, offset);
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static int x_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct handle *h = (struct handle *)base;
    int rc = SQLITE_OK;
    pthread_mutex_lock(&h->v->lock);
    if (dead(h)) {
        rc = SQLITE_IOERR_TRUNCATE;
    } else {
        bytes_size(&h->file->live, size);
        remember(h->file, size, NULL, 0);
        if (change_cuts(h->v)) {
            power_off(h->v);
            rc = SQLITE_IOERR_TRUNCATE;
        }
    }
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static int x_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    struct handle *h = (struct handle *)base;
    struct faultvfs *v = h->v;
    int rc = SQLITE_OK;
    pthread_mutex_lock(&v->lock);
    v->counts.syncs++;
    if (dead(h) || fault_hits(v, FAULTVFS_SYNC)) {
        rc = SQLITE_IOERR_FSYNC;
    } else if (change_cuts(v)) {
        power_off(v);
        rc = SQLITE_IOERR_FSYNC;
    } else if (!v->lie) {
        sync_file(v, h->file);
    }
    pthread_mutex_unlock(&v->lock);
    return rc;
}

static int x_size(sqlite3_file *base, sqlite3_int64 *out)
{
    struct handle *h = (struct handle *)base;
    pthread_mutex_lock(&h->v->lock);
    int rc = dead(h) ? SQLITE_IOERR_FSTAT : SQLITE_OK;
    *out = h->file->live.len;
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static int take_lock(struct handle *h, int level)
{
    struct file *f = h->file;
    if (level == SQLITE_LOCK_SHARED) {
        if (f->pending || f->exclusive)
            return SQLITE_BUSY;
        f->shared++;
        return SQLITE_OK;
    }
    if (level == SQLITE_LOCK_RESERVED) {
        if (f->reserved)
            return SQLITE_BUSY;
        f->reserved = 1;
        return SQLITE_OK;
    }
    if (h->level < SQLITE_LOCK_RESERVED && f->reserved)
        return SQLITE_BUSY;
    if (h->level < SQLITE_LOCK_PENDING && f->pending)
        return SQLITE_BUSY;
    f->reserved = f->pending = 1;
    if (f->shared > 1) {
        h->level = SQLITE_LOCK_PENDING;
        return SQLITE_BUSY;
    }
    f->exclusive = 1;
    return SQLITE_OK;
}

static int x_lock(sqlite3_file *base, int level)
{
    struct handle *h = (struct handle *)base;
    int rc = SQLITE_OK;
    pthread_mutex_lock(&h->v->lock);
    if (dead(h))
        rc = SQLITE_IOERR_LOCK;
    else if (level > h->level)
        rc = take_lock(h, level);
    if (rc == SQLITE_OK && level > h->level)
        h->level = level;
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static int x_unlock(sqlite3_file *base, int level)
{
    struct handle *h = (struct handle *)base;
    struct file *f = h->file;
    pthread_mutex_lock(&h->v->lock);
    if (!dead(h)) {
        if (h->level >= SQLITE_LOCK_RESERVED && level < SQLITE_LOCK_RESERVED)
            f->reserved = f->pending = f->exclusive = 0;
        if (h->level >= SQLITE_LOCK_SHARED && level == SQLITE_LOCK_NONE)
            f->shared--;
    }
    if (level < h->level)
        h->level = level;
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static int x_check_reserved(sqlite3_file *base, int *out)
{
    struct handle *h = (struct handle *)base;
    pthread_mutex_lock(&h->v->lock);
    *out = h->file->reserved;
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static int x_control(sqlite3_file *base, int op, void *arg)
{
    (void)base;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int x_sector(sqlite3_file *base)
{
    (void)base;
    return SECTOR;
}

static int x_characteristics(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as the real layer says; a torn sector never harms its neighbours here either */
}

static int x_shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out)
{
    struct handle *h = (struct handle *)base;
    struct file *f = h->file;
    int rc = SQLITE_OK;
    *out = NULL;
    pthread_mutex_lock(&h->v->lock);
    if (dead(h)) {
        rc = SQLITE_IOERR_SHMMAP;
    } else {
        if (region >= f->nshm && extend) {
            f->shm = must(realloc(f->shm, (size_t)(region + 1) * sizeof *f->shm));
            while (f->nshm <= region)
                f->shm[f->nshm++] = must(calloc(1, (size_t)size));
        }
        if (region < f->nshm)
            *out = f->shm[region];
    }
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static bool shm_free(const struct handle *h, int i, bool exclusive)
{
    const struct file *f = h->file;
    int others = f->shm_shared[i] - ((h->shm_shared >> i) & 1u ? 1 : 0);
    return !f->shm_exclusive[i] && !(exclusive && others > 0);
}

static void shm_set(struct handle *h, int i, int flags)
{
    struct file *f = h->file;
    unsigned bit = 1u << i;
    if (flags & SQLITE_SHM_UNLOCK) {
        f->shm_shared[i] -= h->shm_shared & bit ? 1 : 0;
        f->shm_exclusive[i] -= h->shm_exclusive & bit ? 1 : 0;
        h->shm_shared &= ~bit;
        h->shm_exclusive &= ~bit;
    } else if (flags & SQLITE_SHM_EXCLUSIVE) {
        f->shm_exclusive[i]++;
        h->shm_exclusive |= bit;
    } else if (!(h->shm_shared & bit)) {
        f->shm_shared[i]++;
        h->shm_shared |= bit;
    }
}

static int x_shm_lock(sqlite3_file *base, int first, int n, int flags)
{
    struct handle *h = (struct handle *)base;
    int rc = SQLITE_OK;
    pthread_mutex_lock(&h->v->lock);
    if (dead(h))
        rc = flags & SQLITE_SHM_UNLOCK ? SQLITE_OK : SQLITE_IOERR_SHMLOCK;
    for (int i = first; rc == SQLITE_OK && !dead(h) && i < first + n; i++) {
        if ((flags & SQLITE_SHM_LOCK) && !shm_free(h, i, flags & SQLITE_SHM_EXCLUSIVE))
            rc = SQLITE_BUSY;
    }
    for (int i = first; rc == SQLITE_OK && !dead(h) && i < first + n; i++)
        shm_set(h, i, flags);
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static void x_shm_barrier(sqlite3_file *base)
{
    struct handle *h = (struct handle *)base;
    pthread_mutex_lock(&h->v->lock);
    pthread_mutex_unlock(&h->v->lock);
}

static int x_shm_unmap(sqlite3_file *base, int remove)
{
    struct handle *h = (struct handle *)base;
    pthread_mutex_lock(&h->v->lock);
    if (!dead(h)) {
        for (int i = 0; i < SHM_LOCKS; i++)
            shm_set(h, i, SQLITE_SHM_UNLOCK);
        if (remove) {
            for (int i = 0; i < h->file->nshm; i++)
                free(h->file->shm[i]);
            free(h->file->shm);
            h->file->shm = NULL;
            h->file->nshm = 0;
        }
    }
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = x_close,
    .xRead = x_read,
    .xWrite = x_write,
    .xTruncate = x_truncate,
    .xSync = x_sync,
    .xFileSize = x_size,
    .xLock = x_lock,
    .xUnlock = x_unlock,
    .xCheckReservedLock = x_check_reserved,
    .xFileControl = x_control,
    .xSectorSize = x_sector,
    .xDeviceCharacteristics = x_characteristics,
    .xShmMap = x_shm_map,
    .xShmLock = x_shm_lock,
    .xShmBarrier = x_shm_barrier,
    .xShmUnmap = x_shm_unmap,
};

/* --- the folder -------------------------------------------------------------------------------------------------------------------- */

static struct file *new_file(struct faultvfs *v, const char *name)
{
    struct file *f = must(calloc(1, sizeof *f));
    if (name)
        memcpy(f->name, name, strlen(name) + 1);
    f->next = v->files;
    v->files = f;
    return f;
}

static int open_locked(struct faultvfs *v, const char *name, struct handle *h, int flags)
{
    struct file *f = name ? find_file(v, name) : NULL;
    if (v->cut || (name && strlen(name) >= NAME_MAX_BYTES))
        return SQLITE_CANTOPEN;
    if (!f) {
        if (!(flags & SQLITE_OPEN_CREATE))
            return SQLITE_CANTOPEN;
        f = new_file(v, name);
    }
    f->refs++;
    h->v = v;
    h->file = f;
    h->epoch = v->epoch;
    h->delete_on_close = !name || (flags & SQLITE_OPEN_DELETEONCLOSE);
    h->base.pMethods = &methods;
    return SQLITE_OK;
}

static int v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out_flags)
{
    struct faultvfs *v = vfs->pAppData;
    struct handle *h = (struct handle *)base;
    memset(h, 0, sizeof *h);
    pthread_mutex_lock(&v->lock);
    int rc = open_locked(v, name, h, flags);
    pthread_mutex_unlock(&v->lock);
    if (rc == SQLITE_OK && out_flags)
        *out_flags = flags;
    return rc;
}

static int v_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    struct faultvfs *v = vfs->pAppData;
    int rc = SQLITE_OK;
    pthread_mutex_lock(&v->lock);
    struct file *f = v->cut ? NULL : find_file(v, name);
    if (v->cut) {
        rc = SQLITE_IOERR_DELETE;
    } else if (!f) {
        rc = SQLITE_IOERR_DELETE_NOENT;
    } else {
        f->deleted = true;
        f->maybe_back = f->on_disk && !sync_folder;
        if (change_cuts(v)) {
            power_off(v);
            rc = SQLITE_IOERR_DELETE;
        }
        drop_unused(v);
    }
    pthread_mutex_unlock(&v->lock);
    return rc;
}

static int v_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)flags;
    struct faultvfs *v = vfs->pAppData;
    pthread_mutex_lock(&v->lock);
    *out = !v->cut && find_file(v, name) != NULL;
    pthread_mutex_unlock(&v->lock);
    return SQLITE_OK;
}

static int v_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
    (void)vfs;
    sqlite3_snprintf(n, out, "%s", name);
    return SQLITE_OK;
}

static int v_random(sqlite3_vfs *vfs, int n, char *out)
{
    struct faultvfs *v = vfs->pAppData;
    return v->base->xRandomness(v->base, n, out);
}

static int v_sleep(sqlite3_vfs *vfs, int us)
{
    struct faultvfs *v = vfs->pAppData;
    return v->base->xSleep(v->base, us);
}

static int v_time(sqlite3_vfs *vfs, double *out)
{
    struct faultvfs *v = vfs->pAppData;
    return v->base->xCurrentTime(v->base, out);
}

static int v_last_error(sqlite3_vfs *vfs, int n, char *out)
{
    (void)vfs;
    (void)n;
    (void)out;
    return 0;
}

/* --- life and control ------------------------------------------------------------------------------------------------------------------
 */

int faultvfs_open(const char *name, uint64_t seed, struct faultvfs **out, struct err *err)
{
    store_engine_init();
    struct faultvfs *v = must(calloc(1, sizeof *v));
    v->name = must(strdup(name));
    v->base = sqlite3_vfs_find(NULL);
    random_seeded_init(&v->random, seed);
    pthread_mutex_init(&v->lock, NULL);
    v->vfs = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = sizeof(struct handle),
        .mxPathname = NAME_MAX_BYTES,
        .zName = v->name,
        .pAppData = v,
        .xOpen = v_open,
        .xDelete = v_delete,
        .xAccess = v_access,
        .xFullPathname = v_full_path,
        .xRandomness = v_random,
        .xSleep = v_sleep,
        .xCurrentTime = v_time,
        .xGetLastError = v_last_error,
    };
    *out = v;
    if (!sqlite3_vfs_find(name) && sqlite3_vfs_register(&v->vfs, 0) == SQLITE_OK)
        return 0;
    pthread_mutex_destroy(&v->lock);
    free(v->name);
    free(v);
    *out = NULL;
    return err_set(err, ERR_STATE, "A disk named %s exists already; choose another name.", name);
}

void faultvfs_close(struct faultvfs *v)
{
    if (!v)
        return;
    sqlite3_vfs_unregister(&v->vfs);
    while (v->files) {
        struct file *next = v->files->next;
        assert(v->files->refs == 0); /* a store is still open on it */
        file_free(v->files);
        v->files = next;
    }
    pthread_mutex_destroy(&v->lock);
    free(v->name);
    free(v);
}

void faultvfs_copy(struct faultvfs *to, struct faultvfs *from)
{
    pthread_mutex_lock(&to->lock);
    pthread_mutex_lock(&from->lock);
    for (const struct file *f = from->files; f; f = f->next) {
        assert(f->refs == 0); /* a store is still open on it */
        if (f->deleted)
            continue;
        struct file *copy = new_file(to, f->name);
        bytes_copy(&copy->live, &f->live);
        bytes_copy(&copy->disk, &f->live);
        copy->on_disk = true;
    }
    pthread_mutex_unlock(&from->lock);
    pthread_mutex_unlock(&to->lock);
}

void faultvfs_cut_at(struct faultvfs *v, uint64_t n)
{
    pthread_mutex_lock(&v->lock);
    v->cut_after = n;
    if (n == 0 && !v->cut)
        power_off(v);
    pthread_mutex_unlock(&v->lock);
}

bool faultvfs_is_cut(struct faultvfs *v)
{
    pthread_mutex_lock(&v->lock);
    bool cut = v->cut;
    pthread_mutex_unlock(&v->lock);
    return cut;
}

void faultvfs_restart(struct faultvfs *v)
{
    pthread_mutex_lock(&v->lock);
    if (!v->cut)
        power_off(v);
    v->cut = false;
    v->epoch++;
    memset(v->faults, 0, sizeof v->faults);
    for (struct file *f = v->files; f; f = f->next) {
        forget_memory(f);
        bytes_copy(&f->live, &f->disk);
        f->on_disk = true;
    }
    drop_unused(v);
    pthread_mutex_unlock(&v->lock);
}

void faultvfs_fail(struct faultvfs *v, enum faultvfs_kind kind, uint64_t n, uint64_t times)
{
    pthread_mutex_lock(&v->lock);
    v->faults[kind] = (struct fault){ .after = n, .times = times };
    pthread_mutex_unlock(&v->lock);
}

void faultvfs_lie(struct faultvfs *v, bool lie)
{
    pthread_mutex_lock(&v->lock);
    v->lie = lie;
    pthread_mutex_unlock(&v->lock);
}

struct faultvfs_counts faultvfs_counts(struct faultvfs *v)
{
    pthread_mutex_lock(&v->lock);
    struct faultvfs_counts counts = v->counts;
    pthread_mutex_unlock(&v->lock);
    return counts;
}

int64_t faultvfs_size(struct faultvfs *v, const char *path)
{
    pthread_mutex_lock(&v->lock);
    const struct file *f = find_file(v, path);
    int64_t size = f ? f->live.len : -1;
    pthread_mutex_unlock(&v->lock);
    return size;
}

void faultvfs_flip(struct faultvfs *v, const char *path, int64_t offset, int bit)
{
    pthread_mutex_lock(&v->lock);
    struct file *f = find_file(v, path);
    assert(f && offset < f->live.len);
    f->live.data[offset] ^= (unsigned char)(1 << bit);
    if (offset < f->disk.len)
        f->disk.data[offset] ^= (unsigned char)(1 << bit);
    pthread_mutex_unlock(&v->lock);
}
