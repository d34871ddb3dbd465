/* SPDX-License-Identifier: Apache-2.0
 *
 * The feeds of schemas/feeds against the forms that documents are read by: one set of names, and each enabled
 * feed's rows go where its file says. */
#include "aggregator/normalize/iso/event.h"
#include "proto/base/assert.h"
#include "proto/feeds/file/file.h"
#include "tests/support/test_cmocka.h"

#include <stdio.h>
#include <string.h>

static struct feeds_paths paths;

/* What stands in `product` as what the normalizer calls it. */
static enum norm_iso_product product_of(enum feeds_product product)
{
    switch (product) {
    case FEEDS_RT_LMP:
        return NORM_ISO_RT_LMP;
    case FEEDS_DA_LMP:
        return NORM_ISO_DA_LMP;
    case FEEDS_DA_SCHEDULE:
        return NORM_ISO_DA_SCHEDULE;
    case FEEDS_OUTAGE:
        return NORM_ISO_OUTAGE;
    case FEEDS_CONSTRAINT:
        return NORM_ISO_CONSTRAINT;
    case FEEDS_LOAD:
    case FEEDS_FUEL_MIX:
    case FEEDS_WIND_SOLAR:
        break;
    }
    return NORM_ISO_TELEMETRY;
}

static void each_enabled_feed_has_a_form_that_reads_it(void **state)
{
    size_t n_enabled = 0;
    (void)state;
    assert_ok(feeds_paths_add(&paths, "schemas/feeds"));
    for (size_t i = 0; i < paths.n_paths; i++) {
        struct feeds_feed file;
        struct conf_report report;
        assert_ok(feeds_file_load(paths.paths[i], &file, &report));
        if (!file.enabled) {
            continue;
        }
        const struct norm_iso_feed *feed = norm_iso_feed_of(hr_bytes_of(file.name, strlen(file.name)));
        if (feed == NULL) {
            fail_msg("%s: the normalizer has no feed of that name", file.name);
        }
        assert_string_equal(norm_iso_code(feed->iso), feeds_iso_name(file.iso));
        assert_int_equal(feed->product, product_of(file.product));
        if (norm_iso_form_fits(file.format, feed->iso, feed->product) != NORM_ISO_FITS) {
            fail_msg("%s: no form %s that its rows are made of", file.name, file.format);
        }
        const struct norm_schema *schema = norm_iso_schema(feed->iso, feed->product);
        assert_string_equal(file.topic, schema->topic);
        assert_string_equal(file.schema, schema->name);
        n_enabled++;
    }
    printf("%zu feeds, %zu enabled, each with a form\n", paths.n_paths, n_enabled);
    assert_true(n_enabled >= 60);
}

static void a_form_of_another_operator_or_product_does_not_fit(void **state)
{
    const char *names[NORM_ISO_FORM_NAMES_MAX];
    (void)state;
    assert_int_equal(norm_iso_form_fits("spp_lmp_csv", NORM_SPP, NORM_ISO_RT_LMP), NORM_ISO_FITS);
    assert_int_equal(norm_iso_form_fits("spp_lmp_csv", NORM_SPP, NORM_ISO_OUTAGE), NORM_ISO_OF_OTHER_FEEDS);
    assert_int_equal(norm_iso_form_fits("spp_lmp_csv", NORM_PJM, NORM_ISO_RT_LMP), NORM_ISO_OF_OTHER_FEEDS);
    assert_int_equal(norm_iso_form_fits("spp_lmp", NORM_SPP, NORM_ISO_RT_LMP), NORM_ISO_NO_SUCH_FORM);
    /* Known, but no rows are made of it. */
    assert_int_equal(norm_iso_form_fits("spp_ties_csv", NORM_SPP, NORM_ISO_RT_LMP), NORM_ISO_NO_SUCH_FORM);
    for (int iso = 0; iso < NORM_ISO_COUNT; iso++) {
        size_t n = norm_iso_form_names((enum norm_iso)iso, names, HR_ARRAY_LEN(names));
        assert_true(n >= 5 && n < NORM_ISO_FORM_NAMES_MAX);
        for (size_t i = 0; i < n; i++) {
            const char *code = norm_iso_code((enum norm_iso)iso);
            assert_memory_equal(names[i], code, strlen(code));
            for (size_t j = 0; j < i; j++) {
                assert_string_not_equal(names[i], names[j]);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_enabled_feed_has_a_form_that_reads_it),
        cmocka_unit_test(a_form_of_another_operator_or_product_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
