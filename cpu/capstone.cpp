// Starting and ending Capstone.
#include "cpu/capstone.hpp"

#include <new>
#include <stdexcept>
#include <string>

namespace hartline {

Capstone::Capstone(cs_arch arch, cs_mode mode, const char* architecture) {
    if (const cs_err error = cs_open(arch, mode, &engine_); error != CS_ERR_OK)
        throw std::runtime_error(std::string("Capstone does not start for ") + architecture + ": " +
                                 cs_strerror(error));
    insn_ = cs_malloc(engine_);
    if (insn_ == nullptr) {
        cs_close(&engine_);
        throw std::bad_alloc();
    }
}

Capstone::~Capstone() {
    cs_free(insn_, 1);
    cs_close(&engine_);
}
}  // namespace hartline
