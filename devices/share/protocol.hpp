// 9P2000.L: numbers of the protocol, as Linux' include/net/9p/9p.h has them.
//
// References are to the "9P2000.L protocol" of diod, and for what it keeps of 9P2000 to intro(5) of Plan 9.
#pragma once
#include <string_view>

#include "core/types.hpp"

namespace hartline::share {

// Requests; the answer to T is T + 1, or kRlerror.
enum Message : u8 {
    kRlerror = 7,
    kTstatfs = 8,
    kTlopen = 12,
    kTlcreate = 14,
    kTsymlink = 16,
    kTmknod = 18,
    kTrename = 20,
    kTreadlink = 22,
    kTgetattr = 24,
    kTsetattr = 26,
    kTxattrwalk = 30,
    kTxattrcreate = 32,
    kTreaddir = 40,
    kTfsync = 50,
    kTlock = 52,
    kTgetlock = 54,
    kTlink = 70,
    kTmkdir = 72,
    kTrenameat = 74,
    kTunlinkat = 76,
    kTversion = 100,
    kTauth = 102,
    kTattach = 104,
    kTflush = 108,
    kTwalk = 110,
    kTread = 116,
    kTwrite = 118,
    kTclunk = 120,
    kTremove = 122,
};

inline constexpr u64 kHeaderBytes = 7;  // size[4] type[1] tag[2]
inline constexpr u64 kIoBytes = 24;     // of a read or write beside its data: P9_IOHDRSZ
inline constexpr u32 kLeastMessage = 4096;
inline constexpr u32 kMostMessage = 1 << 20;
inline constexpr u32 kMostWalk = 16;  // names of one Twalk: P9_MAXWELEM
inline constexpr std::string_view kVersion = "9P2000.L";

// What a server knows a file by: the guest's inode.
struct Qid {
    u8 type = 0;
    u32 version = 0;
    u64 path = 0;
};
enum QidType : u8 { kQidFile = 0, kQidLink = 0x02, kQidFolder = 0x80 };

// The header that every message begins with.
struct Header {
    u32 size = 0;  // of the whole message
    u8 type = 0;
    u16 tag = 0;
};

// Flags of Tlopen and Tlcreate.
enum OpenFlag : u32 {
    kAccessMode = 3,
    kOpenCreate = 0100,
    kOpenExclusive = 0200,
    kOpenTruncate = 01000,
    kOpenAppend = 02000,
    kOpenDataSync = 010000,
    kOpenFolder = 0200000,
    kOpenSync = 04000000,
};

// What Tsetattr sets.
enum SetAttribute : u32 {
    kSetMode = 1,
    kSetUid = 2,
    kSetGid = 4,
    kSetSize = 8,
    kSetAtime = 16,
    kSetMtime = 32,
    kSetCtime = 64,
    kSetAtimeTo = 128,  // to the time in the request; else to now
    kSetMtimeTo = 256,
};
inline constexpr u64 kBasicAttributes = 0x7ff;  // what Rgetattr holds: all that stat(2) has
inline constexpr u32 kRemoveFolder = 0x200;     // Tunlinkat: AT_REMOVEDIR

enum LockType : u8 { kReadLock = 0, kWriteLock = 1, kUnlock = 2 };
enum LockStatus : u8 { kLockGranted = 0, kLockBlocked = 1 };
}  // namespace hartline::share
