/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of app_device share: device_bare.c starts it and turns it, device_network_bare.c is its way
 * to the aggregator. [loop] */
#ifndef APP_DEVICE_PARTS_H
#define APP_DEVICE_PARTS_H

#include "firmware/app/device.h"

/* The board's uptime. */
extern const struct port_clock app_device_clock;

/* Another try, after a pause that doubles each time, from a second to a minute. */
void app_retry_plan(struct app_retry *retry);

/* An uplink to nowhere: a board whose Ethernet controller is silent collects all the same. */
extern const struct port_net app_no_network;

/* Starts Ethernet and its addresses as the identity says; a controller that is silent is said, and planned to
 * be tried again (device->network). */
void app_network_start(struct app_device *device);

/* Readies the transport key of the identity, which is known. */
void app_network_open_transport(struct app_device *device);

/* Makes device->net the uplink of the collector. The network was started. */
void app_network_start_client(struct app_device *device);

#endif
