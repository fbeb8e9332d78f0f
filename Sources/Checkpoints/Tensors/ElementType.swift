/// The element types of the safetensors format, by the names that its headers use.
public enum ElementType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case f4 = "F4"
    case f6e2m3 = "F6_E2M3"
    case f6e3m2 = "F6_E3M2"
    case u8 = "U8"
    case i8 = "I8"
    case f8e5m2 = "F8_E5M2"
    case f8e4m3 = "F8_E4M3"
    case f8e8m0 = "F8_E8M0"
    case f8e4m3fnuz = "F8_E4M3FNUZ"
    case f8e5m2fnuz = "F8_E5M2FNUZ"
    case i16 = "I16"
    case u16 = "U16"
    case f16 = "F16"
    case bf16 = "BF16"
    case i32 = "I32"
    case u32 = "U32"
    case f32 = "F32"
    case c64 = "C64"
    case f64 = "F64"
    case i64 = "I64"
    case u64 = "U64"

    /// Bits per element; the format packs elements of less than a byte.
    public var bitWidth: Int {
        switch self {
        case .f4: 4
        case .f6e2m3, .f6e3m2: 6
        case .bool, .u8, .i8, .f8e5m2, .f8e4m3, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz: 8
        case .i16, .u16, .f16, .bf16: 16
        case .i32, .u32, .f32: 32
        case .c64, .f64, .i64, .u64: 64
        }
    }

    /// The types that weights can be computed in.
    public var isComputable: Bool {
        switch self {
        case .f64, .f32, .f16, .bf16: true
        default: false
        }
    }

    /// Half the distance from 1 to the next larger value: the largest relative error of rounding to nearest.
    /// Nil for types that weights are not computed in.
    public var unitRoundoff: Double? {
        switch self {
        case .f64: 0x1p-53
        case .f32: 0x1p-24
        case .f16: 0x1p-11
        case .bf16: 0x1p-8
        default: nil
        }
    }

    /// The smallest positive normal value, below which rounding errors stop shrinking.
    public var leastNormalMagnitude: Double? {
        switch self {
        case .f64: .leastNormalMagnitude
        case .f32, .bf16: 0x1p-126
        case .f16: 0x1p-14
        default: nil
        }
    }

    /// The largest finite value.
    public var greatestFiniteMagnitude: Double? {
        switch self {
        case .f64: .greatestFiniteMagnitude
        case .f32: Double(Float.greatestFiniteMagnitude)
        case .bf16: 0x1.fep127
        case .f16: 65504
        default: nil
        }
    }
}
