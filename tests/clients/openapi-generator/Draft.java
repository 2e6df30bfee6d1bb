import java.util.UUID;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.AuthApi;
import org.openapitools.client.api.FilingsApi;
import org.openapitools.client.api.WebsitesApi;
import org.openapitools.client.model.CheckResult;
import org.openapitools.client.model.CreateFiling;
import org.openapitools.client.model.FilingBody;
import org.openapitools.client.model.LoginRequest;
import org.openapitools.client.model.Status;
import org.openapitools.client.model.UpdateFiling;
import org.openapitools.client.model.WebsiteContentPatch;

/** A draft with the Java client of openapi-generator: made, edited in one field, read again, checked, abandoned. */
public final class Draft {
    public static void main(String[] arguments) throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(arguments[0]);
        LoginRequest login = new LoginRequest().login(arguments[1]).password("demo-password-2026");
        String token = new AuthApi(client).login(login).getAccessToken();
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        FilingsApi filings = new FilingsApi(client);

        UUID website = new WebsitesApi(client).getOverview(null).getWebsites().get(0).getId();
        UUID id = filings.createFiling(new CreateFiling().kind("website_change").websiteId(website), null).getId();
        ApiResponse<FilingBody> reply = filings.getFilingWithHttpInfo(id, null);
        FilingBody before = reply.getData();
        String etag = reply.getHeaders().get("etag").get(0);
        String remark = "由 Java 客户端修改";
        UpdateFiling change = new UpdateFiling().website(new WebsiteContentPatch().remark(remark));
        FilingBody after = filings.updateFiling(id, etag, change);
        require(remark.equals(after.getWebsite().getRemark()), after);
        // A client that also sent what was not set would have emptied the rest.
        require(after.getWebsite().getName().equals(before.getWebsite().getName()), after);
        require(after.getWebsite().getDomains().equals(before.getWebsite().getDomains()), after);
        CheckResult check = filings.checkFiling(id);
        require(check.getErrorCount() <= check.getFindings().size(), after);
        require(filings.abandonFiling(id, null, null).getStatus() == Status.ABANDONED, after);
        System.out.println(after.getOrderNo() + ": made, edited, checked, abandoned");
    }

    private static void require(boolean holds, FilingBody filing) {
        if (!holds) {
            throw new IllegalStateException(filing.toString());
        }
    }
}
