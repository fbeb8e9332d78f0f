import Symmetries
import TestSupport

extension EditableModel {
    /// Swaps two channels of a slice, each as wide as the slice's are.
    mutating func exchange(_ slice: Site.Slice, _ a: Int, _ b: Int) throws {
        for index in 0..<slice.width {
            func places(_ channel: Int) throws -> [Int] {
                try self.places(
                    slice.tensor, axis: slice.axis, slice.start + channel * slice.stride + index, across: nil)
            }
            let pairs = try zip(places(a), places(b))
            try editFloats(slice.tensor) { values in for (x, y) in pairs { values.swapAt(x, y) } }
        }
    }
}
