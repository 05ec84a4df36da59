// extlinux.conf: what U-Boot and Debian's u-boot-menu boot a disk by.
// The Boot Loader Specification is another one; this is SYSLINUX' own format, of which U-Boot reads a part
// (U-Boot, doc/README.pxe).
#pragma once
#include <optional>
#include <string>

namespace hartline {

struct ExtlinuxEntry {
    std::string label;
    std::string title;   // for people: MENU LABEL, else the label
    std::string kernel;  // a path, absolute in the file system
    std::string initrd;  // the same; empty: none
    std::string append;
};

// The entry that starts by itself: DEFAULT's, else the first that has a kernel. `folder` is where the file
// lies: names that do not begin with a slash are relative to it. Nothing: there is none.
std::optional<ExtlinuxEntry> default_entry(const std::string& text, const std::string& folder);
}  // namespace hartline
