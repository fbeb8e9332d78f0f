import ArgumentParser
import Checkpoints
import Foundations
import Glibc

/// A warning or an error: one line on standard error, whatever stands in it.
func warn(_ message: String) { writeToStandardError("mergeproof: \(PrintableText.line(message))\n") }

/// Unbuffered.
func writeToStandardError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// A result's lines on standard output; what is in a line cannot end it.
func print(_ lines: [String]) { StandardOutput.write(lines.map(PrintableText.line).joined(separator: "\n") + "\n") }

/// Text of our own with its lines. In the place of the library's function, which escapes nothing and keeps failures to itself.
func print(_ text: String) { StandardOutput.write(PrintableText.lines(text) + "\n") }

/// A report as a JSON object, indented.
func print(json report: some Encodable) throws { print(try JSONValue(encoding: report).serialized(indented: true)) }

enum StandardOutput {
    /// A result that cannot be delivered is an error. A reader that went away has seen what it wanted.
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count >= 0 {
                done += count
            } else if errno == EPIPE {
                return
            } else if errno == EAGAIN {
                usleep(1000)
            } else if errno != EINTR {
                warn("the result cannot be written to standard output: \(String(cString: strerror(errno)))")
                _exit(1)
            }
        }
    }

    /// Opens what the parent closed: otherwise a file of ours would stand in its place and receive what is printed.
    static func claimDescriptors() {
        while true {
            let descriptor = open("/dev/null", O_RDONLY)
            guard (0...STDERR_FILENO).contains(descriptor) else {
                if descriptor >= 0 { close(descriptor) }
                return
            }
        }
    }
}

/// Runs a command's body and turns what it throws into one sentence and an exit code.
func reportingErrors<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let code as ExitCode { throw code } catch {
        if let code = Signals.exitCode {
            warn("\(Interrupted())")
            throw ExitCode(code)
        }
        warn(OptionHint.named(in: error).map { "\(error) (see \($0))" } ?? "\(error)")
        throw ExitCode(1)
    }
}
