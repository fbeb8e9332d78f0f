import Checkpoints
import Foundations
import Glibc
import Synchronization

/// A line on standard error that grows with what is done; silent when standard error is no terminal.
final class ProgressBar: Sendable {
    /// What is counted.
    enum Unit {
        case bytes, examples, share
        /// With the time that is left.
        case evaluations
    }

    private let unit: Unit
    private let label: String
    private let isShown: Bool
    /// The first update and the last that was shown: what came before the first is no part of the rate.
    private let shown = Mutex<(first: ContinuousClock.Instant, start: Int, last: ContinuousClock.Instant)?>(nil)

    init(_ label: String, of unit: Unit = .bytes, quiet: Bool) {
        self.label = label
        self.unit = unit
        isShown = !quiet && isatty(STDERR_FILENO) == 1
    }

    func update(done: Int, of total: Int) {
        guard isShown, total > 0 else { return }
        let done = min(max(done, 0), total)
        let now = ContinuousClock.now
        let begun: (first: ContinuousClock.Instant, start: Int)? = shown.withLock { shown in
            if let shown, now - shown.last < .milliseconds(100), done < total { return nil }
            shown = (shown?.first ?? now, shown?.start ?? done, now)
            return shown.map { ($0.first, $0.start) }
        }
        guard let begun else { return }
        let share = Double(done) / Double(total)
        let filled = Int(share * 20)
        let bar = String(repeating: "█", count: filled) + String(repeating: " ", count: 20 - filled)
        let elapsed = seconds(now - begun.first)
        let amount =
            switch unit {
            case .bytes:
                "\(ByteSize.format(done))/\(ByteSize.format(total))"
                    + (elapsed > 0.05 ? " [\(ByteSize.format(Int(Double(done) / elapsed)))/s]" : "")
            case .examples: "\(done)/\(total)"
            case .evaluations:
                "\(done)/\(total)"
                    + (done > begun.start
                        ? Self.timeLeft(elapsed * Double(total - done) / Double(done - begun.start)) : "")
            case .share: ""
            }
        Signals.progressIsShown(true)
        writeToStandardError("\r\(label): \(Int(share * 100))%|\(bar)| \(amount)  ")
    }

    private static func timeLeft(_ seconds: Double) -> String {
        seconds < 90 ? ", \(Int(seconds)) s left" : ", \(Int((seconds / 60).rounded())) min left"
    }

    func finish() {
        if isShown, shown.withLock({ $0 != nil }) { writeToStandardError("\n") }
        Signals.progressIsShown(false)
    }
}

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}
