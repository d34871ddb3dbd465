/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/loopback.h"

#include "tests/support/test_cmocka.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

int loopback_socket(int type, uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}
