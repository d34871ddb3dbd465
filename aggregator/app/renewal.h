/* SPDX-License-Identifier: Apache-2.0
 *
 * Renews the certificates of devices (`renewal:`): a thread of its own makes them, one at a time, while the
 * I/O thread tells those who ask to come again. A certificate is handed out only after it stands in the
 * ledger with its audit entry, and the same key of the same device gets the same one for ever, from whichever
 * aggregator writes that ledger.
 */
#ifndef APP_RENEWAL_H
#define APP_RENEWAL_H

#include "aggregator/app/inbox.h"
#include "aggregator/config/config.h"
#include "aggregator/io/ledger.h"
#include "aggregator/io/source.h"

struct app_renewal;

/* Opens the issuer and starts the thread. HR_IO: told in the log. config, ledger and inbox are kept. */
HR_MUST_USE struct hr_status app_renewal_start(const struct config_renewal *config,
                                               const struct ledger *ledger, struct app_inbox *inbox,
                                               struct app_renewal **out);
/* For source_coap_config.renewal; lives as long as it does. */
const struct source_renewal *app_renewal_source(struct app_renewal *renewal);
/* Ends the thread, and frees; after the source has ended. NULL is fine. */
void app_renewal_stop(struct app_renewal *renewal);

#endif
