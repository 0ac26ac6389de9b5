/* Seeds, one process each. README.md says what is promised and printed. */
#include "tests/simulate/sim.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct arguments {
    uint64_t first, last;
    enum breakage breakage;
    const char *folder, *setting;
    bool verbose;
};

static int usage(void)
{
    fputs("usage: simulate --seeds A..B [--break NAME] [--set name=value,...] [--log], or simulate --breaks for the names\n", stderr);
    return 2;
}

static int list_breakages(void)
{
    for (int i = 1; i < BREAKAGES; i++)
        puts(breakage_names[i]);
    return 0;
}

static bool read_seeds(const char *text, struct arguments *a)
{
    char *end;
    a->first = a->last = strtoull(text, &end, 10);
    if (end == text)
        return false;
    if (strncmp(end, "..", 2) == 0)
        a->last = strtoull(end + 2, &end, 10);
    return *end == '\0' && a->last >= a->first;
}

static bool read_breakage(const char *name, enum breakage *out)
{
    for (int i = 0; i < BREAKAGES; i++) {
        if (strcmp(breakage_names[i], name) == 0) {
            *out = (enum breakage)i;
            return true;
        }
    }
    return false;
}

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
    bool seeds = false;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--log") == 0) {
            a->verbose = true;
            continue;
        }
        bool ok = value != NULL;
        if (ok && strcmp(argv[i], "--seeds") == 0)
            ok = seeds = read_seeds(value, a);
        else if (ok && strcmp(argv[i], "--break") == 0)
            ok = read_breakage(value, &a->breakage);
        else if (ok && strcmp(argv[i], "--set") == 0)
            a->setting = value;
        else if (ok && strcmp(argv[i], "--lua") == 0)
            a->folder = value;
        else
            ok = false;
        if (!ok)
            return false;
        i++;
    }
    return seeds;
}

/* In a process of its own, so that what one seed leaves in memory is not what the next one finds, and a crash names its seed. */
static int one_seed(const struct arguments *a, uint64_t seed, const char *dir)
{
    static struct sim s;
    struct err err;
    s.breakage = a->breakage;
    s.log = a->verbose ? log_open(STDERR_FILENO, LOG_HUMAN, LOG_INFO, clock_system()) : NULL;
    if (sim_begin(&s, seed, dir, &err) < 0) {
        fprintf(stderr, "simulate: %s\n", err.text);
        return 2;
    }
    int rc = script_run(&s, a->folder, a->setting);
    if (rc < 0) { /* threads may be anywhere */
        fflush(NULL);
        _exit(1);
    }
    if (a->breakage && a->breakage != BREAK_EARLY_ANSWER && s.injected == 0)
        fprintf(stderr, "simulate: seed %llu had no place for %s\n", (unsigned long long)seed, breakage_names[a->breakage]);
    sim_end(&s);
    if (s.log)
        log_close(s.log);
    return 0;
}

static void remove_folder(const char *dir)
{
    char command[200];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        fprintf(stderr, "simulate: %s is left behind\n", dir);
}

static int run_seed(const struct arguments *a, uint64_t seed)
{
    char dir[] = "/tmp/feira-simulate-XXXXXX";
    int status = 0;
    if (!mkdtemp(dir)) {
        fputs("simulate: /tmp can't be written\n", stderr);
        return 2;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int rc = one_seed(a, seed, dir);
        fflush(NULL);
        exit(rc);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 2;
    remove_folder(dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status))
        fprintf(stderr, "simulate: the runtime ended with signal %d\n", WTERMSIG(status));
    fprintf(stderr, "simulate: seed %llu diverged; again with: tests/simulate/run --seeds %llu\n", (unsigned long long)seed,
            (unsigned long long)seed);
    return WIFEXITED(status) && WEXITSTATUS(status) == 2 ? 2 : 1;
}

int main(int argc, char **argv)
{
    struct arguments a = { .folder = FEIRA_SIMULATE_FOLDER, .setting = "" };
    uint64_t diverged = 0;
    if (argc == 2 && strcmp(argv[1], "--breaks") == 0)
        return list_breakages();
    if (!read_arguments(argc, argv, &a))
        return usage();
    for (uint64_t seed = a.first; seed <= a.last; seed++) {
        int rc = run_seed(&a, seed);
        if (rc == 2)
            return 2;
        diverged += rc == 1;
        if (rc == 1 && a.breakage)
            break; /* found */
    }
    printf("seeds %llu\ndiverged %llu\n", (unsigned long long)(a.last - a.first + 1), (unsigned long long)diverged);
    if (a.breakage && diverged == 0) {
        fprintf(stderr, "simulate: %s was not found: the model is blind\n", breakage_names[a.breakage]);
        return 1;
    }
    return a.breakage ? 0 : diverged > 0;
}
