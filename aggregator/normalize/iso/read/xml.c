/* SPDX-License-Identifier: Apache-2.0
 *
 * XML by expat. Attributes are not looked at, prefixes are dropped: OASIS writes `m:` or a default namespace,
 * by version. */
#include "aggregator/normalize/iso/read/layout.h"

#include <expat.h>
#include <string.h>

enum { XML_PIECE_BYTES = 16384, XML_TEXT_BYTES = 4096 };

struct xml {
    struct norm_reader *reader;
    const struct norm_layout *layout;
    const struct norm_row_sink *sink;
    XML_Parser parser;
    size_t before[NORM_DEPTH_MAX]; /* path lengths to go back to */
    bool is_record[NORM_DEPTH_MAX];
    size_t depth;
    struct hr_status status;
    size_t text_len;
    char text[XML_TEXT_BYTES];
};

static void stop(struct xml *xml, struct hr_status status)
{
    if (!hr_is_ok(status) && hr_is_ok(xml->status)) {
        xml->status = status;
        (void)XML_StopParser(xml->parser, XML_FALSE);
    }
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    struct xml *xml = ctx;
    (void)attributes;
    const char *colon = strchr(name, ':');
    const char *local = colon != NULL ? colon + 1 : name;
    if (xml->depth == NORM_DEPTH_MAX) {
        stop(xml, hr_status_of(HR_FULL));
        return;
    }
    stop(xml, norm_path_push(xml->reader, hr_bytes_of(local, strlen(local)), &xml->before[xml->depth]));
    if (hr_is_ok(xml->status)) {
        xml->is_record[xml->depth++] = norm_record_begin(xml->reader, xml->layout);
        xml->text_len = 0;
    }
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int len)
{
    struct xml *xml = ctx;
    if ((size_t)len > sizeof xml->text - xml->text_len) {
        stop(xml, hr_status_of(HR_FULL));
        return;
    }
    memcpy(xml->text + xml->text_len, text, (size_t)len);
    xml->text_len += (size_t)len;
}

static struct hr_bytes trimmed(const char *text, size_t len)
{
    static const char SPACE[] = " \t\r\n";
    while (len > 0 && strchr(SPACE, text[len - 1]) != NULL) {
        len--;
    }
    while (len > 0 && strchr(SPACE, *text) != NULL) {
        text++;
        len--;
    }
    return hr_bytes_of(text, len);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    struct xml *xml = ctx;
    (void)name;
    if (!hr_is_ok(xml->status) || xml->depth == 0) {
        return;
    }
    if (xml->is_record[--xml->depth]) {
        norm_record_end(xml->reader, xml->layout, xml->sink);
    } else {
        struct hr_bytes text = trimmed(xml->text, xml->text_len);
        if (text.len_bytes > 0) {
            stop(xml, norm_record_value(xml->reader, xml->layout, text));
        }
    }
    xml->text_len = 0;
    xml->reader->path_len = xml->before[xml->depth];
}

static struct hr_status parse(struct xml *xml)
{
    struct norm_window *window = &xml->reader->window;
    for (;;) {
        struct hr_status more = window->at == window->end ? norm_window_more(window) : hr_ok();
        bool is_last = more.code == HR_CLOSED;
        if (!is_last) {
            HR_TRY(more);
        }
        size_t len = window->end - window->at;
        len = len < XML_PIECE_BYTES ? len : XML_PIECE_BYTES;
        enum XML_Status parsed =
            XML_Parse(xml->parser, (const char *)window->bytes + window->at, (int)len, is_last);
        window->at += len;
        if (parsed != XML_STATUS_OK) {
            bool has_no_memory = XML_GetErrorCode(xml->parser) == XML_ERROR_NO_MEMORY;
            struct hr_status failed = hr_status_of(has_no_memory ? HR_AGAIN : HR_MALFORMED);
            return hr_is_ok(xml->status) ? failed : xml->status;
        }
        if (is_last) {
            return hr_ok();
        }
    }
}

struct hr_status norm_xml_read(struct norm_reader *reader, const struct norm_layout *layout,
                               const struct norm_row_sink *sink)
{
    struct xml xml = {.reader = reader, .layout = layout, .sink = sink, .status = hr_ok()};
    xml.parser = XML_ParserCreate(NULL);
    if (xml.parser == NULL) {
        return hr_status_of(HR_AGAIN);
    }
    XML_SetUserData(xml.parser, &xml);
    XML_SetElementHandler(xml.parser, on_start, on_end);
    XML_SetCharacterDataHandler(xml.parser, on_text);
    struct hr_status status = parse(&xml);
    XML_ParserFree(xml.parser);
    return status;
}
