import LinearAlgebra

/// Inner products of one tensor in all models with each other, summed in f64: all that methods need whose result lies in their span.
struct GramMatrix: Sendable {
    /// What the tensors are seen from.
    enum Origin { case zero, base }

    private var products: Matrix<Double>

    /// Of the models; seen from zero, the base is the last of them, if there is one.
    init(of tensor: MergeTensor, from origin: Origin) throws {
        let count = tensor.modelCount + (origin == .zero && tensor.hasBase ? 1 : 0)
        let parts = try tensor.scan { Self.products($0, origin) }
        products = Matrix(rows: count, columns: count, repeating: 0)
        for part in parts {
            for i in 0..<count { for j in 0..<count { products[i, j] += part[i * count + j] } }
        }
    }

    /// The same of a part of a tensor.
    init(of tile: MergeTile, from origin: Origin) {
        let sums = Self.products(tile, origin)
        let count = Int(Double(sums.count).squareRoot())
        products = Matrix(rows: count, columns: count, elements: sums)
    }

    var count: Int { products.rows }
    func norm(_ i: Int) -> Double { products[i, i].squareRoot() }
    subscript(_ i: Int, _ j: Int) -> Double { products[i, j] }

    /// ⟨Σ a_i θ_i, Σ b_i θ_i⟩.
    func product(_ a: [Double], _ b: [Double]) -> Double {
        var sum = 0.0
        for i in 0..<count { for j in 0..<count { sum += a[i] * products[i, j] * b[j] } }
        return sum
    }

    /// ‖Σ a_i θ_i‖; cancellation may leave less than nothing of the square.
    func norm(_ a: [Double]) -> Double { max(product(a, a), 0).squareRoot() }

    private static func products(_ tile: MergeTile, _ origin: Origin) -> [Double] {
        let base = origin == .base ? tile.base : nil
        let all = tile.models + (origin == .zero ? [tile.base].compactMap(\.self) : [])
        var sums = [Double](repeating: 0, count: all.count * all.count)
        for i in all.indices {
            for j in 0...i {
                let sum = inner(all[i], all[j], less: base, tile.count)
                (sums[i * all.count + j], sums[j * all.count + i]) = (sum, sum)
            }
        }
        return sums
    }

    private static func inner(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, less base: UnsafePointer<Float>?, _ count: Int
    ) -> Double {
        // Several sums side by side, which processors add at once.
        var sums = SIMD8<Double>(repeating: 0)
        var i = 0
        while i + 8 <= count {
            var x = UnsafeRawPointer(a + i).loadUnaligned(as: SIMD8<Float>.self)
            var y = UnsafeRawPointer(b + i).loadUnaligned(as: SIMD8<Float>.self)
            if let base {
                let z = UnsafeRawPointer(base + i).loadUnaligned(as: SIMD8<Float>.self)
                (x, y) = (x - z, y - z)
            }
            sums += SIMD8<Double>(x) * SIMD8<Double>(y)
            i += 8
        }
        var sum = sums.sum()
        while i < count {
            let z = base?[i] ?? 0
            sum += Double(a[i] - z) * Double(b[i] - z)
            i += 1
        }
        return sum
    }
}
