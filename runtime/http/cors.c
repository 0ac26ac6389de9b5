/* http/cors.c - which web pages may call from a browser. There are no cookies here, so no credentials are allowed either. */
#include "http/http_int.h"

struct slice cors_allowed(const char *const *origins, const struct http_request *req)
{
    const struct slice none = { 0 };
    struct slice origin = http_header(req, "origin");
    if (!origin.data || origin.len == 0)
        return none;
    for (; *origins; origins++) {
        if (strcmp(*origins, "*") == 0)
            return SLICE_LIT("*");
        if (slice_is(origin, *origins))
            return origin;
    }
    return none;
}

bool cors_is_preflight(const struct http_request *req)
{
    return req->method == HTTP_METHOD_OPTIONS && http_header(req, "origin").data && http_header(req, "access-control-request-method").data;
}

static bool is_header_list(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!strict_is_token(s.data[i]) && s.data[i] != ',' && s.data[i] != ' ')
            return false;
    return s.len > 0 && s.len <= 512;
}

void cors_preflight(struct request *r)
{
    if (!r->origin.data) {
        http_problem(&r->pub, 403, "origin_not_allowed", "",
                     "Pages of this origin may not call this shop; the shop's settings name those that may.");
        return;
    }
    struct slice asked = http_header(&r->pub, "access-control-request-headers");
    struct http_header headers[] = {
        { SLICE_LIT("Access-Control-Allow-Methods"), SLICE_LIT("GET, HEAD, POST, PUT, PATCH, DELETE") },
        { SLICE_LIT("Access-Control-Max-Age"), SLICE_LIT("600") },
        { SLICE_LIT("Access-Control-Allow-Headers"),
          is_header_list(asked) ? asked : SLICE_LIT("Authorization, Content-Type, Idempotency-Key") },
    };
    http_respond(&r->pub, &(struct http_response){ .status = 204, .headers = headers, .header_count = 3 });
}
