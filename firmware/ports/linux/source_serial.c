/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/ports/linux/source_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static const struct {
    uint32_t baud;
    speed_t speed;
} SPEED[] = {
    {4800, B4800},     {9600, B9600},     {19200, B19200},   {38400, B38400},   {57600, B57600},
    {115200, B115200}, {230400, B230400}, {460800, B460800}, {921600, B921600},
};

static speed_t speed_of(uint32_t baud)
{
    for (size_t i = 0; i < sizeof SPEED / sizeof SPEED[0]; i++) {
        if (SPEED[i].baud == baud) {
            return SPEED[i].speed;
        }
    }
    return B0;
}

bool port_linux_baud_known(uint32_t baud)
{
    return speed_of(baud) != B0;
}

static int make_raw(int fd, const struct port_linux_source_config *config)
{
    speed_t speed = speed_of(config->baud);
    struct termios settings;
    if (tcgetattr(fd, &settings) != 0) {
        return -1;
    }
    cfmakeraw(&settings);
    settings.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS | PARENB | PARODD);
    settings.c_cflag |= CLOCAL | CREAD | CS8;
    settings.c_cflag |= config->parity != PORT_LINUX_PARITY_NONE ? PARENB : 0;
    settings.c_cflag |= config->parity == PORT_LINUX_PARITY_ODD ? PARODD : 0;
    settings.c_cflag |= config->has_two_stop_bits ? CSTOPB : 0;
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (cfsetispeed(&settings, speed) != 0 || cfsetospeed(&settings, speed) != 0 ||
        tcsetattr(fd, TCSANOW, &settings) != 0) {
        return -1;
    }
    /* What the driver collected at another speed is noise. */
    return tcflush(fd, TCIFLUSH);
}

int port_linux_serial_open(const struct port_linux_source_config *config)
{
    int fd = open(config->path, (config->is_two_way ? O_RDWR : O_RDONLY) | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    /* TIOCEXCL doesn't stop root; the lock stops whoever asks. */
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ioctl(fd, TIOCEXCL) == 0 && make_raw(fd, config) == 0) {
        return fd;
    }
    int cause = errno;
    (void)close(fd);
    errno = cause;
    return -1;
}
