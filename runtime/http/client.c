/* http/client.c - a small blocking client: what a command needs to speak to a shop that is being served. */
#include "http/http_int.h"
#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_BYTES_MAX = 256 << 20 };

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct buf *b = ctx;
    if (b->len + size * n > ANSWER_BYTES_MAX)
        return 0;
    buf_add(b, data, size * n);
    return b->failed ? 0 : size * n;
}

/* A path of a socket may have 107 bytes; a deeper one is reached through its folder. Returns the folder's descriptor or -1. */
static int short_socket_path(const char *path, char *out, size_t size)
{
    snprintf(out, size, "%s", path);
    if (strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path)
        return -1;
    const char *name = strrchr(path, '/');
    char *dir = name ? strndup(path, (size_t)(name - path)) : NULL;
    int fd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    free(dir);
    if (fd >= 0)
        snprintf(out, size, "/proc/self/fd/%d%s", fd, name);
    return fd;
}

static struct curl_slist *header_list(const char *const *headers, bool *failed)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* a round trip that a local server does not need */
    *failed = list == NULL;
    for (; headers && *headers && !*failed; headers++) {
        struct curl_slist *more = curl_slist_append(list, *headers);
        *failed = more == NULL;
        list = more ? more : list;
    }
    return list;
}

static void set_options(CURL *h, const char *socket_path, const char *method, const char *url, struct slice body, int64_t timeout_ms)
{
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L); /* a library's timer signals would meet our own */
    curl_easy_setopt(h, CURLOPT_URL, url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    if (socket_path) {
        curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, socket_path);
        curl_easy_setopt(h, CURLOPT_PROXY, ""); /* whatever the environment says */
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    else if (body.len > 0 || strcmp(method, "POST") == 0) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, body.len > 0 ? body.data : "");
    }
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
}

static int call_failed(CURLcode rc, const char *detail, const char *where, struct err *err)
{
    const char *why = *detail ? detail : curl_easy_strerror(rc);
    if (rc == CURLE_COULDNT_CONNECT)
        return err_set(err, ERR_IO, "Nobody answers at %s: %s. Is the shop being served?", where, why);
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return err_set(err, ERR_IO, "%s did not answer in time: %s.", where, why);
    if (rc == CURLE_OUT_OF_MEMORY)
        return err_set(err, ERR_NOMEM, "There is no memory for a call to %s.", where);
    return err_set(err, ERR_IO, "The call to %s failed: %s.", where, why);
}

int http_call(const char *unix_path, const char *method, const char *url, const char *const *headers, struct slice body, int64_t timeout_ms,
              struct http_client_response *out, struct err *err)
{
    out->status = 0;
    buf_init(&out->body, NULL);
    CURL *h = curl_easy_init();
    bool no_memory = false;
    struct curl_slist *list = header_list(headers, &no_memory);
    if (!h || no_memory) {
        curl_slist_free_all(list);
        curl_easy_cleanup(h);
        return err_set(err, ERR_NOMEM, "There is no memory for a call to %s.", url);
    }
    char socket_path[4096], detail[CURL_ERROR_SIZE] = "";
    int dir_fd = unix_path ? short_socket_path(unix_path, socket_path, sizeof socket_path) : -1;
    set_options(h, unix_path ? socket_path : NULL, method, url, body, timeout_ms);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(h, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, &out->body);
    CURLcode rc = curl_easy_perform(h);
    long status = 0;
    curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
    out->status = (int)status;
    curl_slist_free_all(list);
    curl_easy_cleanup(h);
    if (dir_fd >= 0)
        close(dir_fd);
    if (rc == CURLE_OK)
        return 0;
    buf_release(&out->body);
    return call_failed(rc, detail, unix_path ? unix_path : url, err);
}
