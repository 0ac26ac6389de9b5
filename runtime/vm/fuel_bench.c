/* vm_fuel_bench FOLDER - what the sandbox costs: each rule of the folder (a file that returns a function of the cart that cart.lua makes)
 * in a vm, called as the host calls rules, and in a bare Lua state with Lua's own libraries, called by lua_pcall. Rounds take turns;
 * medians. The last line is `ratio R`: the mean (geometric, so that no rule weighs more by taking longer) of what each takes in the sandbox
 * over what it takes bare. */
#include "base/buf.h"
#include "vm/vm_int.h"
#include <dirent.h>
#include <lualib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 31, ROUND_NS = 12000000, RULES_MAX = 32 };

struct rule {
    char name[64];
    vm_ref ours;
    int bare;
    double ours_ns[ROUNDS], bare_ns[ROUNDS]; /* of one call */
};

struct bench {
    struct vm *vm;
    vm_ref our_cart;
    lua_State *L;
    int bare_cart;
    struct rule rules[RULES_MAX];
    size_t count;
};

static __attribute__((noreturn)) void stop(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void nothing_to_undo(void *ctx)
{
    (void)ctx;
}

static void read_file(const char *folder, const char *name, struct buf *out)
{
    char path[4096], part[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        stop(path, "can't be read");
    size_t n;
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(out, part, n);
    fclose(f);
}

static void load(struct bench *b, const char *folder, const char *name, vm_ref *ours, int *bare)
{
    struct buf source;
    struct err err;
    buf_init(&source, NULL);
    read_file(folder, name, &source);
    if (vm_run(b->vm, buf_slice(&source), name, ours, &err) < 0)
        stop(name, err.text);
    if (luaL_loadbuffer(b->L, source.data, source.len, name) != LUA_OK || lua_pcall(b->L, 0, 1, 0) != LUA_OK)
        stop(name, lua_tostring(b->L, -1));
    *bare = luaL_ref(b->L, LUA_REGISTRYINDEX);
    buf_release(&source);
}

static lua_Integer call_ours(struct bench *b, const struct rule *r)
{
    struct err err;
    vm_push_ref(b->vm, r->ours);
    vm_push_ref(b->vm, b->our_cart);
    if (vm_pcall(b->vm, 1, 1, &err) < 0)
        stop(r->name, err.text);
    lua_State *L = vm_lua(b->vm);
    lua_Integer n = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return n;
}

static lua_Integer call_bare(struct bench *b, const struct rule *r)
{
    lua_rawgeti(b->L, LUA_REGISTRYINDEX, r->bare);
    lua_rawgeti(b->L, LUA_REGISTRYINDEX, b->bare_cart);
    if (lua_pcall(b->L, 1, 1, 0) != LUA_OK)
        stop(r->name, lua_tostring(b->L, -1));
    lua_Integer n = lua_tointeger(b->L, -1);
    lua_pop(b->L, 1);
    return n;
}

static double one_round(struct bench *b, const struct rule *r, lua_Integer (*call)(struct bench *, const struct rule *))
{
    int64_t begin = vm_cpu_ns(), now;
    size_t calls = 0;
    do {
        for (int i = 0; i < 100; i++)
            call(b, r);
        calls += 100;
    } while ((now = vm_cpu_ns()) - begin < ROUND_NS);
    return (double)(now - begin) / (double)calls;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct rule *)a)->name, ((const struct rule *)b)->name);
}

static void find_rules(struct bench *b, const char *folder)
{
    DIR *d = opendir(folder);
    struct dirent *e;
    if (!d)
        stop(folder, "is no folder");
    while ((e = readdir(d)) && b->count < RULES_MAX) {
        size_t len = strlen(e->d_name);
        if (len > 4 && len < sizeof b->rules[0].name && strcmp(e->d_name + len - 4, ".lua") == 0 && strcmp(e->d_name, "cart.lua") != 0)
            memcpy(b->rules[b->count++].name, e->d_name, len + 1);
    }
    closedir(d);
    qsort(b->rules, b->count, sizeof b->rules[0], by_name);
    for (size_t i = 0; i < b->count; i++)
        load(b, folder, b->rules[i].name, &b->rules[i].ours, &b->rules[i].bare);
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct err err;
    if (argc != 2)
        stop("vm_fuel_bench", "takes a folder of rules");
    if (vm_open(&(struct vm_options){ 0 }, &b.vm, &err) < 0)
        stop("vm_fuel_bench", err.text);
    b.L = luaL_newstate();
    luaL_openlibs(b.L);
    load(&b, argv[1], "cart.lua", &b.our_cart, &b.bare_cart);
    find_rules(&b, argv[1]);
    vm_set_undo(b.vm, nothing_to_undo, NULL);
    for (size_t i = 0; i < b.count; i++)
        if (call_ours(&b, &b.rules[i]) != call_bare(&b, &b.rules[i]))
            stop(b.rules[i].name, "the two give different answers");
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < b.count; i++) {
            struct rule *r = &b.rules[i];
            if (round % 2)
                r->bare_ns[round] = one_round(&b, r, call_bare);
            r->ours_ns[round] = one_round(&b, r, call_ours);
            if (round % 2 == 0)
                r->bare_ns[round] = one_round(&b, r, call_bare);
        }
    }
    double logs = 0;
    for (size_t i = 0; i < b.count; i++) {
        double x = median(b.rules[i].ours_ns), y = median(b.rules[i].bare_ns);
        printf("%-20s sandbox %8.0f ns   bare Lua %8.0f ns   %.2f\n", b.rules[i].name, x, y, x / y);
        logs += log(x / y);
    }
    printf("ratio %.2f\n", exp(logs / (double)b.count));
    vm_close(b.vm);
    lua_close(b.L);
    return 0;
}
