// Sockets of a guest to its host, for vsock.py.
//
//   vsock echo PORT           takes connections at PORT, one after the other, and sends all back
//   vsock connect PORT        standard input goes to the host's PORT, and what comes back to standard output
//   vsock refused PORT        ends with 0 if nobody is at the host's PORT
#include <sys/socket.h>
// Needs the one before it.
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char block[1 << 16];

static int copy(int from, int to) {
    const ssize_t got = read(from, block, sizeof block);
    for (ssize_t done = 0; done < got;) {
        const ssize_t wrote = write(to, block + done, (size_t)(got - done));
        if (wrote <= 0) return 0;
        done += wrote;
    }
    return got > 0;
}

static void talk(int peer) {
    struct pollfd files[2] = {{.fd = 0, .events = POLLIN}, {.fd = peer, .events = POLLIN}};
    while (poll(files, 2, -1) > 0) {
        if (files[0].revents != 0 && !copy(0, peer)) {
            shutdown(peer, SHUT_WR);
            files[0].fd = -1;
        }
        if (files[1].revents != 0 && !copy(peer, 1)) return;
    }
}

int main(int count, char** arguments) {
    if (count != 3) return 2;
    const unsigned port = (unsigned)strtoul(arguments[2], NULL, 10);
    const int file = socket(AF_VSOCK, SOCK_STREAM, 0);
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_port = port, .svm_cid = VMADDR_CID_HOST};
    if (strcmp(arguments[1], "echo") == 0) {
        address.svm_cid = VMADDR_CID_ANY;
        if (bind(file, (struct sockaddr*)&address, sizeof address) != 0 || listen(file, 8) != 0) return 1;
        for (;;) {
            const int peer = accept(file, NULL, NULL);
            if (peer < 0) return 1;
            while (copy(peer, peer)) {}
            close(peer);
        }
    }
    const int failed = connect(file, (struct sockaddr*)&address, sizeof address) != 0;
    if (strcmp(arguments[1], "refused") == 0) return !failed;
    if (failed) {
        perror("connect");
        return 1;
    }
    talk(file);
    return 0;
}
