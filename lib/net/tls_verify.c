/*
 * tls_verify.c - whom a certificate must be for, and in words why one was refused.
 *
 * The certificate is gone by the time the handshake has failed, so the text is made in OpenSSL's callback.  What is
 * quoted from a certificate comes from the peer: it is cut, and made printable.
 */
#include "net/tls_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* How many of a certificate's names are told, and how much of each. */
#define NAMES_TOLD    3
#define NAME_TOLD_MAX 70

struct text {
    char *data;
    size_t len;
    size_t size;
};

static void add_bytes(struct text *text, const unsigned char *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len && i < NAME_TOLD_MAX && text->len + 1 < text->size; i++)
        text->data[text->len++] = (char)(bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '?');
    text->data[text->len] = '\0';
}

static void add(struct text *text, const char *string)
{
    add_bytes(text, (const unsigned char *)string, strlen(string));
}

static bool add_general_name(struct text *text, const GENERAL_NAME *name)
{
    char number[INET6_ADDRSTRLEN];
    const ASN1_STRING *value;
    int len;

    if (name->type != GEN_DNS && name->type != GEN_IPADD)
        return false;
    value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    len = ASN1_STRING_length(value);
    if (name->type == GEN_DNS) {
        add_bytes(text, ASN1_STRING_get0_data(value), (size_t)len);
        return true;
    }
    if (len != 4 && len != 16)
        return false;
    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), number, sizeof number);
    add(text, number);
    return true;
}

/* "a.example, b.example and 3 more".  Gives how many names there are. */
static int add_hosts(struct text *text, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    char more[32];
    int found = 0;
    int i;

    for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        char one_data[NAME_TOLD_MAX + 1] = "";
        struct text one = {one_data, 0, sizeof one_data};

        if (!add_general_name(&one, sk_GENERAL_NAME_value(names, i)))
            continue;
        if (found++ >= NAMES_TOLD)
            continue;
        if (found > 1)
            add(text, ", ");
        add(text, one.data);
    }
    GENERAL_NAMES_free(names);
    if (found > NAMES_TOLD) {
        snprintf(more, sizeof more, " and %d more", found - NAMES_TOLD);
        add(text, more);
    }
    return found;
}

/* The common name, or failing that the organization, of |name|. */
static void add_name(struct text *text, const X509_NAME *name)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    const ASN1_STRING *value;

    if (at < 0)
        at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
    if (at < 0) {
        add(text, "without a name");
        return;
    }
    value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    add_bytes(text, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
}

static void add_date(struct text *text, const ASN1_TIME *when)
{
    struct tm tm;
    char date[64] = "no date";

    if (when != NULL && ASN1_TIME_to_tm(when, &tm) == 1)
        snprintf(date, sizeof date, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    add(text, date);
}

/* "certificate", or "certificate of ISSUER" for one above the peer's own. */
static void add_subject(struct text *text, X509 *cert, int depth)
{
    add(text, "certificate");
    if (depth > 0) {
        add(text, " of ");
        add_name(text, X509_get_subject_name(cert));
    }
}

static void explain_host(struct text *text, X509 *cert, const char *server_name)
{
    size_t start;

    add(text, "certificate is for ");
    start = text->len;
    if (add_hosts(text, cert) == 0) {
        text->len = start;
        add(text, "no host");
    }
    add(text, ", not ");
    add(text, server_name);
}

static void explain(struct text *text, int code, X509 *cert, int depth, const char *server_name)
{
    switch (cert != NULL ? code : X509_V_ERR_UNSPECIFIED) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        add_subject(text, cert, depth);
        add(text, " has expired (");
        add_date(text, X509_get0_notAfter(cert));
        add(text, ")");
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        add_subject(text, cert, depth);
        add(text, " is not yet valid (");
        add_date(text, X509_get0_notBefore(cert));
        add(text, ")");
        return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        explain_host(text, cert, server_name);
        return;
    case X509_V_ERR_CERT_REVOKED:
        add_subject(text, cert, depth);
        add(text, " was revoked by ");
        add_name(text, X509_get_issuer_name(cert));
        return;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        add(text, "no revocation list of ");
        add_name(text, X509_get_issuer_name(cert));
        return;
    case X509_V_ERR_CRL_HAS_EXPIRED:
        add(text, "revocation list of ");
        add_name(text, X509_get_issuer_name(cert));
        add(text, " is out of date");
        return;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        add(text, "self-signed certificate");
        return;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        add(text, "self-signed certificate in certificate chain (");
        add_name(text, X509_get_subject_name(cert));
        add(text, ")");
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        add(text, code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ? "unable to get issuer certificate ("
                                                               : "unable to get local issuer certificate (");
        add_name(text, X509_get_issuer_name(cert));
        add(text, " is not trusted)");
        return;
    default:
        add(text, X509_verify_cert_error_string(code));
        return;
    }
}

static int note_failure(int ok, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct rqx__tls_wire *tls = ssl != NULL ? rqx__tls_wire_of_ssl(ssl) : NULL;
    struct text text;

    if (ok || tls == NULL)
        return ok;
    text = (struct text){tls->verify_text, 0, sizeof tls->verify_text};
    tls->verify_code = X509_STORE_CTX_get_error(store);
    explain(&text, tls->verify_code, X509_STORE_CTX_get_current_cert(store), X509_STORE_CTX_get_error_depth(store),
            tls->server_name);
    return 0;
}

int rqx__tls_verify_setup(struct rqx__tls_wire *tls)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    int mode = SSL_get_verify_mode(tls->ssl);

    if ((mode & SSL_VERIFY_PEER) == 0)
        return 0;
    if (SSL_get_verify_callback(tls->ssl) == NULL)
        SSL_set_verify(tls->ssl, mode, note_failure);
    if (tls->tls->any_hostname)
        return 0;
    if (tls->tls->borrowed && X509_VERIFY_PARAM_get0_host(param, 0) != NULL)
        return 0; /* the user has said who is expected */
    /* RFC 9110 section 4.3.4: the subject's common name does not count; RFC 6125 section 6.4.3: no "f*.example" */
    if (!tls->tls->borrowed)
        X509_VERIFY_PARAM_set_hostflags(param,
                                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (tls->server_is_address)
        return X509_VERIFY_PARAM_set1_ip_asc(param, tls->server_name) == 1 ? 0 : RQX_ERR_NOMEM;
    return X509_VERIFY_PARAM_set1_host(param, tls->server_name, 0) == 1 ? 0 : RQX_ERR_NOMEM;
}
