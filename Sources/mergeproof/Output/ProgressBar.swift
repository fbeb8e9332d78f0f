import Checkpoints
import Foundations
import Glibc
import Synchronization

/// A line on standard error that grows with what is done; silent when standard error is no terminal.
final class ProgressBar: Sendable {
    /// What is counted.
    enum Unit { case bytes, examples, share }

    private let unit: Unit
    private let label: String
    private let isShown: Bool
    /// The first update and the last that was shown: what came before the first is no part of the rate.
    private let shown = Mutex<(first: ContinuousClock.Instant, last: ContinuousClock.Instant)?>(nil)

    init(_ label: String, of unit: Unit = .bytes, quiet: Bool) {
        self.label = label
        self.unit = unit
        isShown = !quiet && isatty(STDERR_FILENO) == 1
    }

    func update(done: Int, of total: Int) {
        guard isShown, total > 0 else { return }
        let done = min(max(done, 0), total)
        let now = ContinuousClock.now
        let started: ContinuousClock.Instant? = shown.withLock { shown in
            if let shown, now - shown.last < .milliseconds(100), done < total { return nil }
            shown = (shown?.first ?? now, now)
            return shown?.first
        }
        guard let started else { return }
        let share = Double(done) / Double(total)
        let filled = Int(share * 20)
        let bar = String(repeating: "█", count: filled) + String(repeating: " ", count: 20 - filled)
        let elapsed = seconds(now - started)
        let amount =
            switch unit {
            case .bytes:
                "\(ByteSize.format(done))/\(ByteSize.format(total))"
                    + (elapsed > 0.05 ? " [\(ByteSize.format(Int(Double(done) / elapsed)))/s]" : "")
            case .examples: "\(done)/\(total)"
            case .share: ""
            }
        Signals.progressIsShown(true)
        writeToStandardError("\r\(label): \(Int(share * 100))%|\(bar)| \(amount)  ")
    }

    func finish() {
        if isShown, shown.withLock({ $0 != nil }) { writeToStandardError("\n") }
        Signals.progressIsShown(false)
    }
}

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}
