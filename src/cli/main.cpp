#include "cli/commands.hpp"
#include "cli/signals.hpp"

#include <fcntl.h>
#include <opencv2/core/ocl.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <exception>
#include <new>

using namespace skincheck;
using namespace skincheck::cli;

namespace {

// Each worker runs its own network on one thread, which is at least as fast on the CPU as one network on all
// cores; and what OpenCV has to say reaches the user as a status and a sentence, never as raw lines on the
// terminal.
void set_up_opencv() {
    cv::setNumThreads(1);
    cv::ocl::setUseOpenCL(false);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    cv::redirectError([](int, const char*, const char*, const char*, int, void*) { return 0; });
}

// A caller may have closed standard input, output or error. Then the next file to be opened would get its
// number, and rows or messages would end up in it. What stands in cannot be read or written, which is told as
// any such failure.
void occupy_closed_descriptors() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fcntl(fd, F_GETFD) < 0) {
            [[maybe_unused]] const int same = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

// What is not there becomes a file; a FIFO or /dev/stdout may stand for a pipe.
bool goes_into_a_file(const std::string& output) {
    struct stat status {};
    return !output.empty() && (stat(output.c_str(), &status) != 0 || S_ISREG(status.st_mode));
}

ExitCode run(const std::vector<std::string>& arguments) {
    const Invocation invocation = parse_command_line(arguments);
    if (!invocation.text.empty()) {
        const auto destination = standard_output();
        destination->write(invocation.text);
        destination->commit();
        return ExitCode::ok;
    }
    if (goes_into_a_file(invocation.score      ? invocation.score->output
                         : invocation.merge    ? invocation.merge->output
                         : invocation.evaluate ? invocation.evaluate->output
                                               : "")) {
        survive_closed_messages();
    }
    if (invocation.evaluate) {
        Console console(invocation.evaluate->verbosity, false);
        try {
            return run_evaluate(*invocation.evaluate, console);
        } catch (const std::bad_alloc&) {
            throw Fatal(ExitCode::model, "not enough memory; use a smaller --bootstrap");
        }
    }
    static Cancellation cancellation;
    if (invocation.merge) {
        Console console(invocation.merge->verbosity, false);
        cancel_on_signals(cancellation);
        return run_merge(*invocation.merge, console, cancellation);
    }
    if (invocation.model) {
        return run_model(*invocation.model);
    }
    const CommonOptions& common = invocation.score ? invocation.score->common : invocation.preprocess->common;
    // Rows on the same terminal show the progress themselves, and would run into its line.
    const bool rows_on_terminal =
        isatty(STDOUT_FILENO) != 0 && !(invocation.score && !invocation.score->output.empty());
    Console console(common.verbosity, common.progress && !rows_on_terminal);
    cancel_on_signals(cancellation);
    return invocation.score ? run_score(*invocation.score, console, cancellation)
                            : run_preprocess(*invocation.preprocess, console, cancellation);
}

}  // namespace

int main(int argc, char** argv) {
    occupy_closed_descriptors();
    survive_file_limits();
    Console console(Verbosity::normal, false);
    try {
        set_up_opencv();
        return static_cast<int>(run({argv + 1, argv + argc}));
    } catch (const Fatal& fatal) {
        if (fatal.code() == ExitCode::interrupted) {  // the library does not know by which signal
            return static_cast<int>(caught_signal().value_or(fatal.code()));
        }
        console.error(fatal.what());
        return static_cast<int>(fatal.code());
    } catch (const std::bad_alloc&) {
        console.error("not enough memory; use fewer --jobs or a smaller --batch-size");
        return static_cast<int>(ExitCode::model);
    } catch (const std::exception& error) {
        console.error(error.what());
        return static_cast<int>(ExitCode::model);
    }
}
