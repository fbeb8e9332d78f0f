import CKernels
import Checkpoints
import Foundations
import Glibc
import Synchronization

/// Two checkpoints' tensors of one name side by side, read once: whether they are the same to the bit, and how far they lie apart.
struct TensorSums: Sendable {
    /// Bytes read before the pages are let go.
    private static let chunk = 4 << 20
    /// Bytes compared at a time: they fit the cache.
    private static let block = 1 << 17

    var isSame = true
    /// Σ (y - x)² and Σ x², for types that are computed in.
    var difference = 0.0
    var norm = 0.0

    var ratio: Double { norm > 0 ? (difference / norm).squareRoot() : difference > 0 ? 1 : 0 }

    mutating func add(_ other: TensorSums) {
        isSame = isSame && other.isSame
        difference += other.difference
        norm += other.norm
    }

    /// By name: the tensors that both have in one type and shape. What is summed, and in which order, does not depend on threads.
    static func all(_ original: Checkpoint, _ protected: Checkpoint, threads: Int) throws -> [String: TensorSums] {
        struct Task {
            let tensor, twin: TensorRecord
            let bytes: Range<Int>
        }
        var tasks: [Task] = []
        for tensor in original.tensors.values {
            guard let twin = protected.tensors[tensor.name], twin.type == tensor.type, twin.shape == tensor.shape else {
                continue
            }
            let starts = tensor.byteCount > 0 ? Array(stride(from: 0, to: tensor.byteCount, by: chunk)) : [0]
            tasks += starts.map {
                Task(tensor: tensor, twin: twin, bytes: $0..<min($0 + chunk, tensor.byteCount))
            }
        }
        let found = Mutex([TensorSums](repeating: .none, count: tasks.count))
        let list = tasks
        try WorkerThreads.forEach(list.count, threads: threads) { number, _ in
            let task = list[number]
            let sums = TensorSums(
                task.tensor.type, UnsafeRawBufferPointer(rebasing: original.bytes(of: task.tensor)[task.bytes]),
                UnsafeRawBufferPointer(rebasing: protected.bytes(of: task.twin)[task.bytes]))
            // What stands before is let go of once more: pages come several at a time, from both sides of where one is asked for.
            let read = max(0, task.bytes.lowerBound - chunk)..<task.bytes.upperBound
            original.releasePages(of: task.tensor, bytes: read)
            protected.releasePages(of: task.twin, bytes: read)
            found.withLock { $0[number] = sums }
        }
        var all: [String: TensorSums] = [:]
        for (task, sums) in zip(list, found.withLock { $0 }) {
            all[task.tensor.name, default: .none].add(sums)
        }
        return all
    }

    /// A text that differs where some tensor does, to draw random numbers from that no model can be fitted to.
    static func seed(_ sums: [String: TensorSums]) -> String {
        sums.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value.difference),\($0.value.norm)" }
            .joined(separator: ";")
    }

    static let none = TensorSums()

    private init() {}

    private init(_ type: ElementType, _ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) {
        guard let x = a.baseAddress, let y = b.baseAddress else { return }
        for start in stride(from: 0, to: a.count, by: Self.block) {
            let count = min(Self.block, a.count - start)
            let isEqual = memcmp(x + start, y + start, count) == 0
            isSame = isSame && isEqual
            guard type.isComputable else { continue }
            // What is the same is read once more from the cache alone.
            add(type, x + start, (isEqual ? x : y) + start, count / (type.bitWidth / 8))
        }
    }

    private mutating func add(_ type: ElementType, _ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) {
        func values<Value>(_ pointer: UnsafeRawPointer, _ type: Value.Type) -> UnsafePointer<Value> {
            pointer.assumingMemoryBound(to: type)
        }
        var (d, n) = (0.0, 0.0)
        switch type {
        case .bf16: mp_difference_bf16(values(a, UInt16.self), values(b, UInt16.self), count, &d, &n)
        case .f16: mp_difference_f16(values(a, UInt16.self), values(b, UInt16.self), count, &d, &n)
        case .f32: mp_difference_f32(values(a, Float.self), values(b, Float.self), count, &d, &n)
        default: mp_difference_f64(values(a, Double.self), values(b, Double.self), count, &d, &n)
        }
        difference += d
        norm += n
    }
}
