import CKernels
import Checkpoints
import ForwardPass

/// How much the entries of one matrix of a task vector matter: |τ'_ij|, times a factor of the input channel j where there are such.
struct Importance: Sendable {
    /// Of each input channel, and whether these lie along the rows of what is stored.
    struct Factors: Sendable {
        let values: [Float]
        let isAlongRows: Bool
        /// Length of a stored row.
        let columns: Int
    }

    /// The matrix's places in the stored tensor.
    let entries: Range<Int>
    let factors: Factors?

    init(entries: Range<Int>, factors: Factors?) { (self.entries, self.factors) = (entries, factors) }

    /// Factors are the norms of what the channels read; none where nothing was read.
    init(_ read: Model.InputNorms) {
        let (inputs, norms) = (read.norms.count, read.norms.map { Float($0) })
        let columns = read.inputsAreColumns || inputs == 0 ? inputs : read.entries.count / inputs
        self.init(
            entries: read.entries,
            factors: columns == 0 ? nil : Factors(values: norms, isAlongRows: read.inputsAreColumns, columns: columns))
    }

    /// Writes f32 numbers, of products of such, of the entries at some places of the tensor.
    /// - Parameters:
    ///   - own: the model's, from the first place on.
    ///   - base: the base's likewise.
    func write(
        _ places: Range<Int>, _ type: ElementType, _ own: UnsafeRawPointer, _ base: UnsafeRawPointer,
        into target: UnsafeMutablePointer<Float>
    ) {
        let count = places.count
        func words<T>(_ type: T.Type) -> (UnsafePointer<T>, UnsafePointer<T>) {
            (own.assumingMemoryBound(to: type), base.assumingMemoryBound(to: type))
        }
        switch type {
        case .bf16: mp_distances_bf16(target, words(UInt16.self).0, words(UInt16.self).1, count)
        case .f16: mp_distances_f16(target, words(UInt16.self).0, words(UInt16.self).1, count)
        case .f64: mp_distances_f64(target, words(Double.self).0, words(Double.self).1, count)
        default: mp_distances_f32(target, words(Float.self).0, words(Float.self).1, count)
        }
        guard let factors else { return }
        factors.values.withUnsafeBufferPointer { values in
            guard let values = values.baseAddress else { return }
            var place = places.lowerBound
            while place < places.upperBound {
                let (row, column) = (place - entries.lowerBound).quotientAndRemainder(dividingBy: factors.columns)
                let step = min(factors.columns - column, places.upperBound - place)
                let part = target + (place - places.lowerBound)
                if factors.isAlongRows {
                    mp_multiply_f32(part, values + column, step)
                } else {
                    mp_multiply_across_f32(part, values + row, 1, step)
                }
                place += step
            }
        }
    }
}
