// Echo servers of a guest: `echo_server tcp 7 udp 9` answers on both ports, once it has returned, until it is
// killed.
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bound(int type, int port) {
    const int file = socket(AF_INET, type, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const int refused = file < 0 || bind(file, (struct sockaddr*)&at, sizeof at) != 0 ||
                        (type == SOCK_STREAM && listen(file, 8) != 0);
    if (refused) {
        perror("echo_server");
        exit(1);
    }
    return file;
}

static char bytes[65536];

static void serve_datagrams(int file) {
    for (;;) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        const ssize_t got = recvfrom(file, bytes, sizeof bytes, 0, (struct sockaddr*)&peer, &size);
        if (got >= 0) sendto(file, bytes, (size_t)got, 0, (struct sockaddr*)&peer, size);
    }
}

static void serve_streams(int file) {
    for (;;) {
        const int peer = accept(file, NULL, NULL);
        if (peer < 0) continue;
        for (ssize_t got; (got = read(peer, bytes, sizeof bytes)) > 0;)
            for (ssize_t done = 0, put; done < got; done += put)
                if ((put = write(peer, bytes + done, (size_t)(got - done))) < 0) break;
        close(peer);
    }
}

int main(int count, char** arguments) {
    for (int i = 1; i + 1 < count; i += 2) {
        const int stream = strcmp(arguments[i], "tcp") == 0;
        const int file = bound(stream ? SOCK_STREAM : SOCK_DGRAM, atoi(arguments[i + 1]));
        if (fork() != 0) continue;
        stream ? serve_streams(file) : serve_datagrams(file);
    }
    return 0;
}
