/* vm_attack [OPTION] FILE... - runs each file as a plugin would be loaded, each in a child process with a time limit, and says
 * what stopped it, after how long, and with how much memory. Exit status 1 when one hung, crashed, or left the state unusable.
 * --naive: with Lua's own libraries, a count hook and the memory cap only, to show that the files are dangerous.
 * --bare: the same libraries and no hook; prints the text that a file returns.
 * --sweep K: run again and again with allocation number K, 2K, ... refused: once, that one and all that follow, and every one whose number
 * is a multiple. Nothing may crash, leak, or stay broken once memory is there again. */
#include "base/buf.h"
#include "vm/vm_int.h"
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WALL_LIMIT_S = 20,
    NAIVE_LIMIT_S = 1,
    SWEEP_FUEL = 300000,
    SWEEP_POSITIONS = 100,
    SOFT_BYTES = 32 << 20,
    FUEL = 10000000,
    OVER_MS = 50
};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SLACK = 20 };
#else
enum { SLACK = 1 };
#endif

enum refusal { REFUSE_ONCE, REFUSE_FOR_GOOD, REFUSE_EACH, REFUSALS };
static const char *const refusal_names[REFUSALS] = { "once", "for good", "each" };

struct refusing {
    struct alloc face;
    size_t requests, at, live_bytes; /* at: 0 = nothing is refused */
    enum refusal mode;
};

static void *refusing_resize(void *ctx, void *ptr, size_t old_size, size_t size)
{
    struct refusing *r = ctx;
    if (size > old_size) {
        r->requests++;
        bool refuse[] = { r->requests == r->at, r->requests >= r->at, r->at && r->requests % r->at == 0 };
        if (r->at && refuse[r->mode])
            return NULL;
    }
    void *p = alloc_resize(NULL, ptr, old_size, size);
    if (p || size == 0)
        r->live_bytes = r->live_bytes - old_size + size;
    return p;
}

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    char part[4096];
    size_t n;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(out, part, n);
    fclose(f);
    return !out->failed;
}

/* CPU time: what else the machine does is no fault of the sandbox. */
static double ms_since(int64_t start_ns)
{
    return (double)(vm_cpu_ns() - start_ns) / 1e6;
}

static const char probe[] = "assert(('x'):upper() == 'X' and string.upper('x') == 'X' and math.floor(2.5) == 2 and KEEP == nil) return 1";

static int sandboxed(struct slice source, const char *name)
{
    struct err err = { 0 };
    struct vm *v;
    struct vm_options o = { .memory_soft_bytes = SOFT_BYTES, .fuel = FUEL };
    if (vm_open(&o, &v, &err) < 0) {
        printf("%-28s no state: %s\n", name, err.text);
        return 1;
    }
    int64_t start = vm_cpu_ns();
    vm_ref ref;
    int rc = vm_run(v, source, name, &ref, &err);
    double ms = ms_since(start);
    struct vm_call_stats s = vm_stats(v);
    printf("%-28s %-10s %7.1f ms %8zu KiB  fuel %9llu  %.110s\n", name, rc == 0 ? "returned" : err_name(rc), ms, s.peak_bytes / 1024,
           (unsigned long long)s.fuel, rc == 0 ? "" : err.text);
    /* The state must still work, and be untouched by what ran in it. */
    vm_ref probe_ref;
    struct err probe_err = { 0 };
    bool bad = vm_run(v, SLICE_LIT(probe), "probe", &probe_ref, &probe_err) < 0;
    if (bad)
        printf("%-28s the state is damaged: %s\n", name, probe_err.text);
    start = vm_cpu_ns();
    vm_close(v);
    double most_ms = ((double)vm_deadline_ns(FUEL) / 1e6 + OVER_MS) * SLACK;
    if (ms > most_ms || ms_since(start) > OVER_MS * SLACK) {
        printf("%-28s too slow\n", name);
        bad = true;
    }
    return bad;
}

/* --- memory that is refused ----------------------------------------------------------------------------------------- */

/* False when the run did not come as far as the refusal. */
static bool refuse_at(struct slice source, const char *name, enum refusal mode, size_t at, bool *bad)
{
    struct refusing r = { .face = { refusing_resize, &r }, .at = at, .mode = mode };
    struct err err = { 0 };
    struct vm *v;
    vm_ref ref;
    struct vm_options o = { .memory_soft_bytes = SOFT_BYTES, .fuel = SWEEP_FUEL, .alloc = &r.face };
    if (vm_open(&o, &v, &err) == 0) {
        vm_run(v, source, name, &ref, &err);
        size_t requests = r.requests;
        r.at = 0;
        if (vm_run(v, SLICE_LIT(probe), "probe", &ref, &err) < 0) {
            printf("%-28s allocation %zu refused (%s): the state is damaged: %s\n", name, at, refusal_names[mode], err.text);
            *bad = true;
        }
        vm_close(v);
        r.requests = requests;
    }
    if (r.live_bytes) {
        printf("%-28s allocation %zu refused (%s): %zu bytes leaked\n", name, at, refusal_names[mode], r.live_bytes);
        *bad = true;
    }
    return r.requests >= at;
}

static int sweep(struct slice source, const char *name, size_t step)
{
    bool bad = false;
    size_t runs = 0;
    int64_t start = vm_cpu_ns();
    for (enum refusal mode = 0; mode < REFUSALS; mode++)
        for (size_t n = 1; n <= SWEEP_POSITIONS && refuse_at(source, name, mode, n * step, &bad); n++)
            runs++;
    printf("%-28s %zu allocations refused, one in each run, %.0f ms\n", name, runs, ms_since(start));
    return bad;
}

/* --- the negative control -------------------------------------------------------------------------------------------- */

struct naive {
    size_t used;
    int64_t left;
};

static void *naive_resize(void *ud, void *ptr, size_t old_size, size_t size)
{
    struct naive *n = ud;
    size_t had = ptr ? old_size : 0;
    if (size > had && n->used - had + size > SOFT_BYTES)
        return NULL;
    n->used = n->used - had + size;
    return alloc_resize(NULL, ptr, had, size);
}

static void naive_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct naive *n;
    lua_getallocf(L, (void **)&n);
    n->left -= 1000;
    if (n->left < 0)
        luaL_error(L, "out of fuel");
}

static lua_State *open_naive(struct naive *n)
{
    lua_State *L = lua_newstate(naive_resize, n);
    luaL_requiref(L, "_G", luaopen_base, 1);
    luaL_requiref(L, "string", luaopen_string, 1);
    luaL_requiref(L, "table", luaopen_table, 1);
    luaL_requiref(L, "math", luaopen_math, 1);
    luaL_requiref(L, "utf8", luaopen_utf8, 1);
    luaL_requiref(L, "coroutine", luaopen_coroutine, 1);
    lua_settop(L, 0);
    return L;
}

/* For who wants to know what a file gives there: without a hook, its text on stdout. */
static int bare(struct slice source, const char *name)
{
    struct naive n = { 0 };
    lua_State *L = open_naive(&n);
    bool failed = luaL_loadbuffer(L, source.data, source.len, name) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK;
    printf("%s%s\n", failed ? "error: " : "", lua_tostring(L, -1));
    lua_close(L);
    return failed;
}

static int naive(struct slice source, const char *name)
{
    struct naive n = { .left = FUEL };
    lua_State *L = open_naive(&n);
    lua_sethook(L, naive_hook, LUA_MASKCOUNT, 1000);
    int64_t start = vm_cpu_ns();
    int rc = luaL_loadbuffer(L, source.data, source.len, name);
    if (rc == LUA_OK)
        rc = lua_pcall(L, 0, 0, 0);
    double ms = ms_since(start);
    printf("%-28s %-10s %7.1f ms\n", name, rc == LUA_OK ? "returned" : "error", ms);
    fflush(stdout);
    lua_sethook(L, NULL, 0, 0);
    bool changed = luaL_dostring(L, probe) != LUA_OK; /* what another plugin would find */
    if (changed)
        printf("%-28s the world is changed: %s\n", name, lua_tostring(L, -1));
    fflush(stdout);
    lua_close(L);
    return changed || ms > ((double)vm_deadline_ns(FUEL) / 1e6 + OVER_MS) * SLACK;
}

int main(int argc, char **argv)
{
    bool run_naive = false, run_bare = false;
    size_t step = 0;
    int passed = 0, failed = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--naive") == 0) {
            run_naive = true;
            continue;
        }
        if (strcmp(argv[i], "--bare") == 0) {
            run_bare = true;
            continue;
        }
        if (strcmp(argv[i], "--sweep") == 0 && i + 1 < argc) {
            step = (size_t)strtoul(argv[++i], NULL, 10);
            continue;
        }
        const char *slash = strrchr(argv[i], '/'), *name = slash ? slash + 1 : argv[i];
        struct buf source;
        buf_init(&source, NULL);
        if (!read_file(argv[i], &source)) {
            fprintf(stderr, "%s can't be read\n", argv[i]);
            return 2;
        }
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            unsigned limit_s = run_naive ? NAIVE_LIMIT_S : WALL_LIMIT_S * SLACK;
            struct rlimit cpu = { limit_s, limit_s };
            setrlimit(RLIMIT_CPU, &cpu);
            alarm(limit_s * 3);
            int rc = run_bare    ? bare(buf_slice(&source), name)
                     : run_naive ? naive(buf_slice(&source), name)
                     : step      ? sweep(buf_slice(&source), name, step)
                                 : sandboxed(buf_slice(&source), name);
            fflush(stdout);
            buf_release(&source);
            exit(rc);
        }
        int status = 0;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status))
            printf("%-28s ended by signal %d (%s)\n", name, WTERMSIG(status), strsignal(WTERMSIG(status)));
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            passed++;
        else
            failed++;
        buf_release(&source);
    }
    if (!run_bare)
        printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
