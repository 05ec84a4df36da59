// The table of error names.
#include "devices/share/linux_errno.hpp"

#include <cerrno>

namespace hartline::share {
namespace {
struct Row {
    int host;
    u32 linux_number;
};
constexpr Row kRows[] = {
    {EPERM, 1},    {ENOENT, 2},        {EINTR, 4},     {EIO, 5},         {ENXIO, 6},       {E2BIG, 7},
    {EBADF, 9},    {EAGAIN, 11},       {ENOMEM, 12},   {EACCES, 13},     {EFAULT, 14},     {EBUSY, 16},
    {EEXIST, 17},  {EXDEV, 18},        {ENODEV, 19},   {ENOTDIR, 20},    {EISDIR, 21},     {EINVAL, 22},
    {ENFILE, 23},  {EMFILE, 24},       {ENOTTY, 25},   {ETXTBSY, 26},    {EFBIG, 27},      {ENOSPC, 28},
    {ESPIPE, 29},  {EROFS, 30},        {EMLINK, 31},   {EPIPE, 32},      {EDOM, 33},       {ERANGE, 34},
    {EDEADLK, 35}, {ENAMETOOLONG, 36}, {ENOLCK, 37},   {ENOSYS, 38},     {ENOTEMPTY, 39},  {ELOOP, 40},
    {EPROTO, 71},  {EOVERFLOW, 75},    {EMSGSIZE, 90}, {EOPNOTSUPP, 95}, {ETIMEDOUT, 110}, {ESTALE, 116},
    {EDQUOT, 122}, {ENODATA, 61},
};
}  // namespace

u32 linux_errno(int host) {
    for (const Row& row : kRows)
        if (row.host == host) return row.linux_number;
    return 5;
}
}  // namespace hartline::share
