#include "http/auth_challenge.h"

#include <string.h>

#include <requestx/error.h>

#include "base/str.h"

static void skip_blanks(rqx_slice *text)
{
    while (text->len > 0 && (*text->data == ' ' || *text->data == '\t')) {
        text->data++;
        text->len--;
    }
}

/* Commas may stand alone in a list (RFC 9110 section 5.6.1.2). */
static void skip_commas(rqx_slice *text)
{
    for (skip_blanks(text); text->len > 0 && *text->data == ','; skip_blanks(text)) {
        text->data++;
        text->len--;
    }
}

static rqx_slice take(rqx_slice *text, size_t len)
{
    rqx_slice taken = {text->data, len};

    text->data += len;
    text->len -= len;
    return taken;
}

static rqx_slice take_token(rqx_slice *text)
{
    size_t len = 0;

    while (len < text->len && rqx__is_tchar((unsigned char)text->data[len]))
        len++;
    return take(text, len);
}

/* RFC 9110 section 5.6.4; the opening quote is there. */
static bool take_quoted(rqx_slice *text, rqx_slice *ret_value)
{
    size_t at = 1;

    while (at < text->len && text->data[at] != '"')
        at += text->data[at] == '\\' ? 2 : 1;
    if (at >= text->len)
        return false;
    *ret_value = (rqx_slice){text->data + 1, at - 1};
    take(text, at + 1);
    return true;
}

static bool is_token68(unsigned char c)
{
    unsigned char lower = rqx__lower(c);

    return (lower >= 'a' && lower <= 'z') || rqx__is_digit(c) || (c != '\0' && strchr("-._~+/", c) != NULL);
}

/* A token68 ends at a comma or the end; what looks like one and goes on is the name of a parameter. */
static bool take_token68(rqx_slice *text, rqx_slice *ret_value)
{
    rqx_slice rest = *text;
    rqx_slice value;
    size_t len = 0;

    while (len < rest.len && is_token68((unsigned char)rest.data[len]))
        len++;
    if (len == 0)
        return false;
    while (len < rest.len && rest.data[len] == '=')
        len++;
    value = take(&rest, len);
    skip_blanks(&rest);
    if (rest.len > 0 && *rest.data != ',')
        return false;
    *text = rest;
    *ret_value = value;
    return true;
}

/* Gives 1 with a parameter taken; 0: there is none here, and nothing was taken; negative: malformed. */
static int take_param(rqx_slice *text, struct rqx__auth_param *ret_param)
{
    rqx_slice rest = *text;
    struct rqx__auth_param param = {.name = take_token(&rest)};

    skip_blanks(&rest);
    if (param.name.len == 0 || rest.len == 0 || *rest.data != '=')
        return 0;
    take(&rest, 1);
    skip_blanks(&rest);
    param.quoted = rest.len > 0 && *rest.data == '"';
    if (param.quoted && !take_quoted(&rest, &param.value))
        return RQX_ERR_INVALID_FIELD;
    if (!param.quoted)
        param.value = take_token(&rest);
    if (!param.quoted && param.value.len == 0)
        return RQX_ERR_INVALID_FIELD;
    skip_blanks(&rest);
    if (rest.len > 0 && *rest.data != ',')
        return RQX_ERR_INVALID_FIELD;
    *text = rest;
    *ret_param = param;
    return 1;
}

static int take_params(rqx_slice *text, struct rqx__challenge *challenge)
{
    for (;;) {
        struct rqx__auth_param param;
        int rv = take_param(text, &param);

        if (rv <= 0)
            return rv;
        if (challenge->count == RQX__CHALLENGE_PARAMS)
            return RQX_ERR_INVALID_FIELD;
        challenge->params[challenge->count++] = param;
        skip_commas(text);
    }
}

int rqx__challenge_next(rqx_slice *rest, struct rqx__challenge *ret_challenge)
{
    rqx_slice text = *rest;
    int rv;

    if (text.len > RQX__CHALLENGE_MAX)
        return RQX_ERR_INVALID_FIELD;
    skip_commas(&text);
    *rest = text;
    if (text.len == 0)
        return 0;
    ret_challenge->scheme = take_token(&text);
    ret_challenge->token68 = (rqx_slice){NULL, 0};
    ret_challenge->count = 0;
    if (ret_challenge->scheme.len == 0)
        return RQX_ERR_INVALID_FIELD;
    if (text.len > 0 && *text.data != ' ' && *text.data != '\t' && *text.data != ',')
        return RQX_ERR_INVALID_FIELD;
    if (text.len > 0 && *text.data != ',') {
        skip_blanks(&text);
        if (!take_token68(&text, &ret_challenge->token68)) {
            skip_commas(&text);
            rv = take_params(&text, ret_challenge);
            if (rv < 0)
                return rv;
        }
    }
    *rest = text;
    return 1;
}

int rqx__auth_params(rqx_slice text, struct rqx__challenge *ret_params)
{
    int rv;

    if (text.len > RQX__CHALLENGE_MAX)
        return RQX_ERR_INVALID_FIELD;
    *ret_params = (struct rqx__challenge){.count = 0};
    skip_commas(&text);
    rv = take_params(&text, ret_params);
    if (rv < 0)
        return rv;
    return text.len == 0 ? 0 : RQX_ERR_INVALID_FIELD;
}

const struct rqx__auth_param *rqx__auth_param(const struct rqx__challenge *challenge, const char *name)
{
    size_t i;

    for (i = 0; i < challenge->count; i++) {
        const struct rqx__auth_param *param = &challenge->params[i];

        if (rqx__ieq(param->name.data, param->name.len, name, strlen(name)))
            return param;
    }
    return NULL;
}

char *rqx__auth_unescape(const struct rqx__auth_param *param, char *out)
{
    size_t i;

    for (i = 0; i < param->value.len; i++) {
        if (param->quoted && param->value.data[i] == '\\' && i + 1 < param->value.len)
            i++;
        *out++ = param->value.data[i];
    }
    return out;
}
