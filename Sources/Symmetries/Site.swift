/// A place in a network where a group acts on several weight slices at once and the function stays the same.
public struct Site: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        /// Values and output projection of one key/value head.
        case valueOutput = "vo"
        /// Queries and keys of one key/value head.
        case queryKey = "qk"
        /// Gains of q_norm and k_norm of one layer.
        case queryKeyGain = "qk_gain"
        /// Hidden channels of one MLP.
        case mlp
        /// Whole heads: key/value heads with their query heads, or the query heads of one key/value head.
        case heads
        /// Whole experts of a mixture, with the router's rows.
        case experts
        /// The channels of a residual stream, which all blocks read and write.
        case residual

        /// Whether elements move whole blocks of channels, on which the elements of other sites act before.
        public var movesBlocks: Bool { self == .heads || self == .experts }

        /// Whether elements act on what other sites have acted on, so that they are undone before those can be looked at.
        public var isOuter: Bool { movesBlocks || self == .residual }
    }

    /// Stable name, such as `layers.3.attention.vo.2`; the secret stream of the site's element is derived from it.
    public let path: String
    public let kind: Kind
    /// Nil where all layers have a part in it.
    public let layer: Int?
    public let group: Group
    public let slices: [Slice]
    /// Lists of tensors of one shape, entry c of each being channel c's, that change places as the channels do.
    public let exchanges: [[String]]
    /// Gains that go into the weights behind their norms or before them, whole: 1 is left of each.
    public let folded: [Gain]
    /// A head that is to be told apart from the table that it was tied to.
    public let untied: Untied?

    public init(
        path: String, kind: Kind, layer: Int?, group: Group, slices: [Slice], exchanges: [[String]] = [],
        folded: [Gain] = [], untied: Untied? = nil
    ) {
        self.path = path
        self.kind = kind
        self.layer = layer
        self.group = group
        self.slices = slices
        self.exchanges = exchanges
        self.folded = folded
        self.untied = untied
    }

    /// Whether it lies in one of some layers; what all layers have a part in lies in none.
    public func isInside(_ layers: Set<Int>?) -> Bool {
        layers.map { layers in layer.map(layers.contains) ?? false } ?? true
    }

    /// A run of `group.dimension` indices along one axis of one stored tensor, and how the element acts on it.
    public struct Slice: Sendable, Equatable {
        public let tensor: String
        public let axis: Int
        public let start: Int
        public let representation: Representation
        /// Slices of one `part` belong to the same head's map: a weight and its bias.
        public let part: Part
        /// Rows that an action on columns is confined to: those of one expert where several share a tensor. Nil: all.
        public let across: Range<Int>?
        /// Consecutive indices that make one channel.
        public let width: Int
        /// Distance from one channel to the next: `width`, unless others lie between, as the parts of other heads do.
        public let stride: Int
        /// The folded gain that these weights are multiplied by before the element acts: they read what its norm gives, or give what it
        /// multiplies.
        public let gain: Gain?
        /// Whether they are divided by it instead: the norm's bias, which the gain does not multiply.
        public let isDivided: Bool

        public init(
            tensor: String, axis: Int, start: Int, representation: Representation, part: Part,
            across: Range<Int>? = nil, width: Int = 1, stride: Int? = nil, gain: Gain? = nil, isDivided: Bool = false
        ) {
            self.tensor = tensor
            self.axis = axis
            self.start = start
            self.representation = representation
            self.part = part
            self.across = across
            self.width = width
            self.stride = stride ?? width
            self.gain = gain
            self.isDivided = isDivided
        }

        /// What these weights are multiplied by before the element acts, one number for each channel, given their gain's.
        public func factors(_ gain: [Double]) -> [Double] { isDivided ? gain.map { 1 / $0 } : gain }

        /// From the first of `channels` channels to the end of the last.
        public func extent(channels: Int) -> Range<Int> { start..<start + max(channels - 1, 0) * stride + width }

        /// The same slice of a tensor that is read with each channel in one row.
        public var joined: Slice {
            Slice(
                tensor: tensor, axis: axis, start: start / width, representation: representation, part: part,
                gain: gain, isDivided: isDivided)
        }

        /// The same channels along an axis of another tensor.
        package func moved(to tensor: String, axis: Int) -> Slice {
            Slice(
                tensor: tensor, axis: axis, start: start, representation: representation, part: part, across: across,
                width: width, stride: stride, gain: gain, isDivided: isDivided)
        }

        /// The same slice where its channels begin elsewhere.
        public func moved(to start: Int) -> Slice {
            Slice(
                tensor: tensor, axis: axis, start: start, representation: representation, part: part, across: across,
                width: width, stride: stride, gain: gain, isDivided: isDivided)
        }
    }

    /// A table of tokens that is the head, too. As the head it takes the gains of the last norm and as the table it does not, so that it
    /// is stored twice, and config.json says that the two are no longer tied.
    public struct Untied: Sendable, Equatable {
        /// The new tensor.
        public let head: String
        public let table: String

        public init(head: String, table: String) { (self.head, self.table) = (head, table) }
    }

    /// The gain of a norm, or the factor behind a block (LayerScale), one number for each channel: what is stored plus an offset.
    public struct Gain: Sendable, Equatable, Hashable {
        public let tensor: String
        public let offset: Double

        public init(tensor: String, offset: Double) { (self.tensor, self.offset) = (tensor, offset) }
    }

    /// Which linear map of the site a slice belongs to; `member` counts the query heads that share a key/value head.
    public enum Part: Sendable, Hashable {
        case query(member: Int)
        case key
        case value
        case output(member: Int)
        /// The gate on a head's output.
        case outputGate(member: Int)
        case gate, up, down
        case queryGain, keyGain
        case sinks
        case router, residual
    }
}
