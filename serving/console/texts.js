// What the console says, in Chinese and English; codes of the API have their words here too.

const TEXTS = {
  title: ["小微贷款审批", "Microloan desk"],
  sign_in: ["登录", "Sign in"],
  sign_out: ["退出", "Sign out"],
  key: ["访问密钥", "API key"],
  key_hint: ["仅保存在本标签页,关闭即失效", "Kept in this tab alone, gone when it closes"],
  language: ["English", "中文"],
  apply: ["新申请", "New application"],
  decisions: ["审批记录", "Decisions"],
  business: ["企业信息", "Business"],
  model: ["模型", "Model"],
  policy: ["政策", "Policy"],
  overridden_gate: ["未通过验证,由人放行", "Serves against the gate"],

  application_id: ["申请编号", "Application"],
  business_id: ["统一社会信用代码", "Social credit code"],
  amount: ["金额(元)", "Amount (yuan)"],
  term_months: ["期限(月)", "Term (months)"],
  purpose: ["用途", "Purpose"],
  repayment: ["还款方式", "Repayment"],
  guaranteed: ["申请政府性融资担保", "With a public guarantee"],
  applied_at: ["申请时间", "Moment of application"],
  applied_at_hint: ["留空即为现在(北京时间)", "Empty: now. In Beijing time"],
  quote: ["试算", "Quote"],
  quote_hint: ["试算不留记录", "A quote is recorded nowhere"],
  decide: ["审批并记录", "Decide and record"],
  try_this: ["按此试算", "Quote this"],
  nothing_yet: ["填写左侧表格,先试算或直接审批。", "Fill in the form; ask for a quote first, or decide."],
  quoted: ["试算结果,未记录", "A quote, recorded nowhere"],

  stock: ["采购存货", "Stock"],
  raw_materials: ["采购原材料", "Raw materials"],
  wages_rent: ["工资与租金", "Wages and rent"],
  equipment: ["设备", "Equipment"],
  other: ["其他", "Other"],
  bullet: ["按月付息到期还本", "Interest monthly, principal at maturity"],
  instalment: ["等额本息", "Equal instalments"],

  approve: ["批准", "Approve"],
  refer: ["转人工", "Refer"],
  decline: ["拒绝", "Decline"],
  outcome: ["结论", "Outcome"],
  effective: ["生效结论", "In force"],
  grade: ["等级", "Grade"],
  score: ["评分", "Points"],
  probability: ["违约概率", "Probability of default"],
  probability_hint: ["十次中九次落在横条之内", "Nine times in ten it lies within the bar"],
  limit: ["额度(元)", "Limit (yuan)"],
  rate: ["年利率", "Rate a year"],
  first_instalment: ["每月还款(元)", "Monthly payment (yuan)"],
  decided_at: ["审批时间", "Decided"],
  decided_by: ["经办", "By"],
  branch: ["网点", "Branch"],
  reasons: ["主要原因", "Reasons"],
  no_credit_reason: ["不属于信用原因", "Not a reason of credit"],
  no_reasons: ["无不利原因", "Nothing counted against it"],
  overridden_from: ["人工改判,原结论", "Overridden by an officer; the service said"],
  caps: ["只限额度", "Caps the amount"],
  rules: ["触发的规则", "Rules that fired"],
  rule: ["规则", "Rule"],
  reason: ["原因", "Reason"],
  cap: ["封顶(元)", "Cap (yuan)"],
  offers: ["可选产品", "Offers"],
  offers_hint: [
    "按金额、再按扣除贴息后的成本排列;转人工时仅供参考",
    "Largest first, then cheapest after support; indicative while an officer has yet to decide",
  ],
  product: ["产品", "Product"],
  bank: ["银行", "Bank"],
  all_in: ["综合年化成本", "All-in a year"],
  net: ["扣除贴息后", "After subsidy"],
  fee: ["担保费(元)", "Guarantee fee (yuan)"],
  subsidy: ["贴息(元)", "Subsidy (yuan)"],
  net_cost: ["总成本(元)", "Total cost (yuan)"],
  ways: ["如何获批", "A way to yes"],
  ways_hint: ["每条均已按完整政策重新审批", "Each was judged by the whole policy before it was proposed"],
  sources: ["数据截至", "What it rests on"],
  source: ["来源", "Source"],
  newest: ["最新日期", "Newest day"],
  age: ["距申请(天)", "Days before"],
  trials: ["三十天内改动后重新申请", "Changed and tried again within thirty days"],
  print: ["打印", "Print"],
  receipt: ["下载凭证", "Download receipt"],
  whole: ["版本与指纹", "Versions and hashes"],

  since: ["此后", "What happened since"],
  override: ["人工改判", "Override"],
  override_hint: [
    "超过设定金额须另一人批准;理由至少十个字",
    "Above an amount a second person approves; at least ten characters",
  ],
  reason_code: ["理由类别", "Kind of reason"],
  text: ["理由说明", "The reason in words"],
  approval: ["复核", "Second person"],
  approve_override: ["同意改判", "Approve it"],
  refuse_override: ["不同意", "Refuse it"],
  by: ["经办人", "By"],
  at: ["时间", "When"],
  status: ["状态", "Status"],
  awaiting_approval: ["待复核", "Awaits approval"],
  approved: ["已同意", "Approved"],
  refused: ["未同意", "Refused"],
  documents_seen: ["已核验材料", "Documents were seen"],
  collateral_or_guarantee: ["有抵押或担保", "Collateral or a guarantee"],
  relationship_with_the_bank: ["与本行往来良好", "Relationship with the bank"],
  data_wrong_or_late: ["数据有误或滞后", "Data wrong or late"],
  cause_is_past: ["原因已消除", "The cause is past"],
  doubt_about_the_applicant: ["对申请人存疑", "Doubt about the applicant"],
  outside_credit_policy: ["不符合信贷政策", "Outside the credit policy"],

  loan: ["贷后情况", "What became of the loan"],
  report: ["登记", "Report"],
  as_of: ["截至", "As of"],
  state: ["贷款状态", "State"],
  days_past_due: ["逾期天数", "Days past due"],
  worst_days_past_due: ["最长逾期天数", "Worst days past due"],
  balance: ["本金余额(元)", "Principal owed (yuan)"],
  performing: ["正常", "Performing"],
  repaid: ["已结清", "Repaid"],
  renewed: ["续贷", "Renewed"],
  deferred: ["延期", "Deferred"],
  written_off: ["核销", "Written off"],
  guarantee_paid: ["担保代偿", "Guarantee paid"],
  not_taken_up: ["未提款", "Not taken up"],

  find: ["查询", "Find"],
  any: ["全部", "Any"],
  day: ["日期", "Day"],
  older: ["更早", "Older"],
  none_found: ["没有符合条件的记录。", "Nothing matches."],
  known_as_of: ["已知信息截至", "Known as of"],
  records: ["记录数", "Records"],
  first_known: ["最早获知", "First known"],
  last_known: ["最近获知", "Last known"],
  newest_record: ["最新一条", "The newest record"],
  nothing_known: ["没有该企业的任何记录。", "Nothing is known of this business."],

  features_from: ["数据来自", "Records of"],
  store: ["本行数据", "The bank's store"],
  registry: ["市场监管", "Market regulator"],
  tax: ["税务", "Tax bureau"],
  utility: ["水电气", "Utilities"],
  request: ["本次申请", "The request"],
  registrations: ["登记信息", "Registrations"],
  registered_names: ["名称与住所", "Registered names"],
  registration_events: ["变更与异常", "Register events"],
  tax_returns: ["纳税申报", "Tax returns"],
  tax_grades: ["纳税信用等级", "Tax grades"],
  invoices: ["发票", "Invoices"],
  linked_bills: ["水电气账单", "Utility bills"],
  links: ["户号匹配", "Meter links"],
  meters: ["户号", "Meters"],
  peers: ["同行比较", "Peers"],
  applications: ["历史申请", "Applications"],
  repayments: ["还款记录", "Repayments"],

  refused_title: ["未能完成", "Not done"],
  no_answer: [
    "没有收到答复,不知道是否已经记录。可以放心重发:同一请求只会记录一次。",
    "No answer came, so nobody knows whether it was recorded. It is safe to send again: the same request is recorded once.",
  ],
  no_service: ["服务没有答复。", "The service does not answer."],
  send_again: ["重新发送", "Send again"],
  give_up: ["放弃", "Give up"],
  wrong_key: ["密钥无效、已撤销或已过期。", "The key is wrong, revoked or expired."],
  wait: ["请稍候…", "One moment…"],
  see_decision: ["查看已有的审批", "See the decision that exists"],
};

let at = localStorage.getItem("microloan.language") === "en" || isEnglish() ? 1 : 0;

function isEnglish() {
  return !localStorage.getItem("microloan.language") && !navigator.language.startsWith("zh");
}

export const language = () => (at ? "en" : "zh");

export function change() {
  at = 1 - at;
  localStorage.setItem("microloan.language", language());
}

// The words for a code; a code that has none speaks for itself.
export function t(code) {
  return TEXTS[code]?.[at] ?? code.replaceAll("_", " ");
}

// One of the two texts that the service gives.
export function said(text) {
  return at ? text.en : text.zh;
}

const yuan2 = new Intl.NumberFormat("zh-CN", { minimumFractionDigits: 2 });
const whole = new Intl.NumberFormat("zh-CN", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("sv-SE", {
  timeZone: "Asia/Shanghai", dateStyle: "short", timeStyle: "short",
});

export const money = (value) => (value == null ? null : whole.format(value));
export const cents = (value) => (value == null ? null : yuan2.format(value));
export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
export const yearly = (bp) => (bp == null ? null : `${(bp / 100).toFixed(2)} %`);
export const moment = (iso) => clock.format(new Date(iso));
