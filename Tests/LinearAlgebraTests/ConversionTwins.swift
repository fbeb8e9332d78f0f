/// The C kernels' twins, one number at a time and by another road.
enum ConversionTwins {
    static func widenBF16(_ h: UInt16) -> Float { Float(bitPattern: UInt32(h) << 16) }

    static func widenF16(_ h: UInt16) -> Float { Float(Float16(bitPattern: h)) }

    static func narrowF16(_ x: Double) -> UInt16 { Float16(x).bitPattern }

    /// Nearest of the two neighbours in exact arithmetic (f64 holds every bfloat16 and every midpoint), ties to even.
    static func narrowBF16(_ x: Double) -> UInt16 {
        if x.isNaN { return 0x7FC0 }
        let sign: UInt16 = x.sign == .minus ? 0x8000 : 0
        let magnitude = abs(x)
        var low: UInt16 = 0
        var high: UInt16 = 0x7F80
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if Double(widenBF16(middle)) <= magnitude { low = middle } else { high = middle }
        }
        // Beyond the largest number, infinity stands where the next number would be: at 2^128.
        let above = high == 0x7F80 ? 0x1p128 : Double(widenBF16(high))
        let midpoint = (Double(widenBF16(low)) + above) / 2
        if magnitude > midpoint || (magnitude == midpoint && low & 1 == 1) { return sign | high }
        return sign | low
    }
}
