// The files that a run writes.
#pragma once

namespace hartline {
struct RunConfig;

// Throws InputError: an output is a file that the run reads or writes otherwise too, and would destroy it.
void validate_outputs(const RunConfig& config);
}  // namespace hartline
