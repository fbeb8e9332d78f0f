import Symmetries

/// Sites of one kind and one group.
public struct SiteSummary: Sendable, Equatable {
    public let kind: String
    public let group: String
    public private(set) var count = 0
    /// Real parameters of all of them together: the dimension of the product of their groups.
    public private(set) var parameters = 0

    static func list(_ sites: [Site]) -> [SiteSummary] {
        var summaries: [SiteSummary] = []
        for kind in Site.Kind.allCases {
            for site in sites where site.kind == kind {
                let group = site.group.description
                var place = summaries.firstIndex { $0.kind == kind.rawValue && $0.group == group }
                if place == nil {
                    summaries.append(SiteSummary(kind: kind.rawValue, group: group))
                    place = summaries.count - 1
                }
                if let place {
                    summaries[place].count += 1
                    summaries[place].parameters += site.group.parameterCount
                }
            }
        }
        return summaries
    }

    private init(kind: String, group: String) {
        self.kind = kind
        self.group = group
    }
}

extension SiteSummary: Encodable {
    enum CodingKeys: CodingKey { case kind, count, group, parameters }
}
