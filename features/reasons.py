"""The reasons we may give: true of a feature family, plain, in Chinese and English.

A reason names what counted against an application, never the score itself. ``actionable`` says
whether the applicant can do something about it. R01 to R36 are the field's catalogue, worded so
that the data we read can bear them out; those from R37 on are ours, for what that catalogue would
have told as something else. A neutral reason of each department is told of values that count
against an applicant although no other reason is true of them.
Codes C01 to C04 are statuses of the process, not reasons of credit.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One principal reason, as told to the applicant."""

    code: str
    family: str
    english: str
    chinese: str
    actionable: bool


UNKNOWN = "R32"  # told of a value that is not known, unless its feature says otherwise
IMPLAUSIBLE = "R54"  # told of a value outside the bounds that its feature declares
# Told of a department's values that count against an applicant while no other reason is true.
NEUTRAL: Mapping[str, str] = {
    "registry": "R57",
    "tax": "R58",
    "utility": "R59",
    "bank": "R60",
    "peers": "R61",
    "request": "R37",
}

_REASONS = (
    Reason(
        "R01", "registry", "Time in business is short", "经营年限较短,尚未积累足够的经营记录", False
    ),
    Reason(
        "R02",
        "registry",
        "Recent change of legal representative or controlling owner",
        "近期变更过法定代表人或实际控制人",
        False,
    ),
    Reason(
        "R03",
        "registry",
        "Frequent changes to registered details",
        "近两年登记信息变更较频繁",
        False,
    ),
    Reason(
        "R04",
        "registry",
        "Currently marked or listed as abnormal in operation",
        "目前被列入(标记)经营异常,尚未移出",
        True,
    ),
    Reason("R05", "registry", "Past abnormal-operation entries", "近两年曾被列入经营异常", False),
    Reason("R06", "registry", "Annual report missing or late", "年报未按时公示", True),
    Reason(
        "R07",
        "registry",
        "Administrative penalty in the last 24 months",
        "近两年有行政处罚记录",
        False,
    ),
    Reason(
        "R08",
        "registry",
        "Open enforcement case or judgment debt",
        "存在未了结的执行案件(被执行信息)",
        True,
    ),
    Reason(
        "R09",
        "registry",
        "Defendant in recent debt disputes",
        "近期涉及借贷、货款等纠纷诉讼",
        False,
    ),
    Reason(
        "R10",
        "registry",
        "Equity pledged or assets charged to others",
        "股权或资产已对外质押、抵押",
        True,
    ),
    Reason(
        "R11",
        "registry",
        "Owner's other firms closed or in difficulty",
        "经营者名下其他企业已注销或经营不佳",
        False,
    ),
    Reason("R12", "registry", "Industry risk above the average", "所属行业近期整体风险偏高", False),
    Reason(
        "R13",
        "tax",
        "Declared or invoiced sales are falling",
        "申报或开票的销售额(份数)较前期下降",
        False,
    ),
    Reason(
        "R14", "tax", "Sales too low for the amount asked", "申报销售规模与申请金额不匹配", True
    ),
    Reason(
        "R15",
        "tax",
        "Sales highly uneven from month to month",
        "销售收入波动较大,经营不够稳定",
        False,
    ),
    Reason(
        "R16",
        "tax",
        "Months without sales or with zero filings",
        "近两年有零申报或无销售的月份",
        False,
    ),
    Reason("R17", "tax", "Tax returns late or missing", "近两年有逾期申报或未申报记录", True),
    Reason("R18", "tax", "Tax unpaid", "目前存在欠税", True),
    Reason("R19", "tax", "Past arrears or late-payment charges", "近两年有欠税或滞纳金记录", False),
    Reason("R20", "tax", "Tax credit grade is low", "纳税信用等级偏低(C级或D级)", True),
    Reason(
        "R21",
        "tax",
        "Tax history too short or not continuous",
        "连续纳税记录不足,纳税时间较短或有中断",
        False,
    ),
    Reason("R22", "tax", "Sales depend on few customers", "销售过于集中在少数客户", False),
    Reason("R23", "tax", "Fewer customers than before", "客户数量较前期减少", False),
    Reason("R24", "tax", "Many red-letter or voided invoices", "红字发票(作废发票)占比偏高", False),
    Reason("R25", "tax", "Purchases and sales do not fit together", "进项与销项不匹配", False),
    Reason("R26", "tax", "Tax burden far from the trade's norm", "税负与同行业差异较大", False),
    Reason("R27", "utility", "Electricity use fell", "用电量较前期下降", False),
    Reason(
        "R28", "utility", "Electricity use shows stoppages", "用电记录显示有停产停业迹象", False
    ),
    Reason(
        "R29",
        "utility",
        "Electricity, water or gas bills paid late",
        "有水电气费逾期缴纳记录",
        True,
    ),
    Reason(
        "R30", "utility", "Supply cut off for arrears", "近一年曾因欠费被停电(停水、停气)", False
    ),
    Reason(
        "R31",
        "cross",
        "Sources disagree about the size of business",
        "纳税、用电等数据反映的经营规模不一致,需进一步核实",
        True,
    ),
    Reason(
        "R32",
        "cross",
        "Needed data missing or could not be matched",
        "关键数据缺失或未能与贵户匹配,无法完成评估",
        True,
    ),
    Reason(
        "R33",
        "debt",
        "Debt, with the amount asked for, high against sales",
        "现有负债(含本次申请金额)相对经营收入偏高",
        True,
    ),
    Reason(
        "R34",
        "debt",
        "A loan of this bank is, or was, paid late",
        "本行贷款有当前或历史逾期记录",
        True,
    ),
    Reason(
        "R35",
        "debt",
        "Many recent credit enquiries or lenders",
        "近期贷款申请查询较多或合作银行较多",
        True,
    ),
    Reason(
        "R36",
        "capacity",
        "Repayment capacity below the requirement",
        "按现有经营收入测算,还款能力不足",
        True,
    ),
    Reason(
        "R37",
        "request",
        "The amount, term or purpose asked for carries more risk",
        "申请的金额、期限或用途对应的风险较高",
        True,
    ),
    Reason(
        "R38",
        "profile",
        "The legal form, tax regime, capital or borrowing history carries more risk",
        "经营主体类型、计税方式、注册资本或借款经历对应的风险较高",
        False,
    ),
    Reason("R39", "tax", "Tax returns amended after filing", "近两年有更正申报记录", False),
    Reason("R40", "tax", "Purchases depend on few suppliers", "采购过于集中在少数供应商", False),
    Reason("R41", "utility", "Water or gas use fell", "用水(用气)量较前期下降", False),
    Reason("R42", "utility", "Electricity use highly uneven", "用电量波动较大", False),
    Reason(
        "R43",
        "tax",
        "Sales grow less than those of similar businesses",
        "销售增长落后于同行业、同规模的经营主体",
        False,
    ),
    Reason(
        "R44",
        "tax",
        "Sales more uneven than those of similar businesses",
        "销售波动大于同行业、同规模的经营主体",
        False,
    ),
    Reason(
        "R45",
        "utility",
        "Electricity use grows less than that of similar businesses",
        "用电增长落后于同行业、同规模的经营主体",
        False,
    ),
    Reason(
        "R46",
        "tax",
        "Sales of the trade as a whole are falling",
        "所在行业整体销售正在下滑",
        False,
    ),
    Reason(
        "R47",
        "profile",
        "The size of the business, by sales, tax paid, invoices or utilities, carries more risk",
        "以销售、纳税、开票或水电气用量衡量,经营规模对应的风险较高",
        False,
    ),
    Reason(
        "R48",
        "registry",
        "The register does not show the business in operation",
        "登记状态不是在营(开业)",
        False,
    ),
    Reason(
        "R49",
        "registry",
        "Judgment against the business as debtor in the last 24 months",
        "近两年有作为债务人的判决(被执行)记录",
        False,
    ),
    Reason(
        "R50",
        "tax",
        "Tax credit grade was low, or fell, in the last years",
        "近年纳税信用等级曾偏低或下降",
        False,
    ),
    Reason(
        "R51",
        "utility",
        "Utility bills known for a short time, or with gaps",
        "水电气缴费记录较短或有缺月",
        False,
    ),
    Reason(
        "R52",
        "cross",
        "Records old, estimated, or not surely those of the business",
        "部分数据较旧、为估算值,或与贵户的匹配不够确定",
        True,
    ),
    Reason("R53", "debt", "Loans of this bank are still running", "在本行尚有未结清的贷款", True),
    Reason(
        "R54",
        "cross",
        "A value in the data cannot be right and has to be checked",
        "部分数据数值异常,需核实",
        True,
    ),
    Reason(
        "R55",
        "cross",
        "Too little is known of businesses like this to be sure",
        "与贵户类似的样本较少,评估把握不足,需人工审核",
        False,
    ),
    Reason(
        "R56",
        "request",
        "The application was changed and tried again several times",
        "近30天内多次修改条件重复申请",
        True,
    ),
    Reason(
        "R57",
        "registry",
        "The registered facts, as a whole, speak for more risk than those of applicants approved",
        "登记信息整体上较获批客户风险偏高",
        False,
    ),
    Reason(
        "R58",
        "tax",
        "Returns and invoices, as a whole, speak for more risk than those of applicants approved",
        "纳税与开票情况整体上较获批客户风险偏高",
        False,
    ),
    Reason(
        "R59",
        "utility",
        "Utility bills, as a whole, speak for more risk than those of applicants approved",
        "水电气使用情况整体上较获批客户风险偏高",
        False,
    ),
    Reason(
        "R60",
        "debt",
        "Loans with this bank, as a whole, speak for more risk than those of applicants approved",
        "在本行的贷款情况整体上较获批客户风险偏高",
        False,
    ),
    Reason(
        "R61",
        "cross",
        "Compared with similar businesses, more risk is seen than with applicants approved",
        "与同类经营主体的比较整体上较获批客户风险偏高",
        False,
    ),
    Reason(
        "R62",
        "capacity",
        "The working capital that the business is estimated to need is below the amount asked for",
        "按测算的流动资金需求低于申请金额",
        True,
    ),
    Reason(
        "R63",
        "cross",
        "Close to the bound of automatic approval: an officer decides",
        "处于自动审批边界附近,需人工审核",
        False,
    ),
    Reason("C01", "process", "Consent is missing or no longer valid", "授权缺失或已失效", True),
    Reason("C02", "process", "Identity could not be verified", "身份核验未通过", True),
    Reason("C03", "process", "Outside the scope of the product", "不在产品准入范围", True),
    Reason("C04", "process", "The limit of total credit is reached", "授信总额已达上限", True),
)

REASONS: Mapping[str, Reason] = {reason.code: reason for reason in _REASONS}
