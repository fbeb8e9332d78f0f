extension MergeConfiguration {
    /// Which tokenizer the output has, and what the rows of its tokens are, as mergekit's `tokenizer` says it.
    public struct Vocabulary: Sendable, Equatable {
        public enum Source: Sendable, Equatable {
            /// The base's, or the first model's where there is no base.
            case base
            /// The base's with every token more that another model has.
            case union
            /// That of a directory, which need not be a merged model's.
            case model(String)
        }

        /// A row of a table.
        public enum Row: Sendable, Equatable {
            case zero
            /// Of the token itself in a model.
            case model(String)
            case number(Int, of: String)
            case token(String, of: String)
        }

        /// What is said of one token.
        public struct Rule: Sendable, Equatable {
            public let token: String
            /// What stands for it in models that lack it; nil for what stands there where nothing is said.
            public let row: Row?
            /// Whether that stands for it in all models.
            public let isForced: Bool

            public init(_ token: String, row: Row?, isForced: Bool = false) {
                (self.token, self.row, self.isForced) = (token, row, isForced)
            }
        }

        public let source: Source
        /// Tokens that the vocabulary lacks are added to it.
        public let rules: [Rule]
        /// What the number of rows is rounded up to; nil to leave it.
        public let multiple: Int?

        public init(_ source: Source, rules: [Rule] = [], multiple: Int? = nil) {
            (self.source, self.rules, self.multiple) = (source, rules, multiple)
        }
    }
}
